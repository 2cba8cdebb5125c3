// Part of the programs of `make coverage`: a process that ends by _exit writes its counts as well. They begin again at zero,
// as after vfork they are those of the parent, which goes on.
extern "C" {
void __gcov_dump();
void __gcov_reset();
[[noreturn]] void __real__exit(int status);

[[noreturn]] void __wrap__exit(int status) {
  __gcov_dump();
  __gcov_reset();
  __real__exit(status);
}
}
