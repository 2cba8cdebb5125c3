// Included before everything else: what the headers of a libstdc++ that was configured for glibc expect of the C library, and
// musl has under another name or not at all. Nothing of it is used by our programs; it only has to be declared.
#pragma once

#include <features.h>
#define __GLIBC_PREREQ(major, minor) 0
#define __locale_t locale_t
enum { _ISupper = 1, _ISlower = 2, _ISalpha = 4, _ISdigit = 8, _ISxdigit = 16, _ISspace = 32, _ISprint = 64, _IScntrl = 128, _ISpunct = 256, _ISblank = 512 };

#include <bits/c++config.h>
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
#undef _GLIBCXX_USE_PTHREAD_RWLOCK_CLOCKLOCK
