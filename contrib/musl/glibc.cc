// What the parts of libstdc++ and libgcc that our programs link want of glibc.
extern "C" {
extern char __libc_single_threaded;
int _dl_find_object(void* address, void* result);
}

char __libc_single_threaded = 1;

// `Not found`: the unwinder then asks dl_iterate_phdr(3).
int _dl_find_object(void*, void*) { return -1; }
