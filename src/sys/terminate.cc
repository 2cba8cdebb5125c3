// Replaces libstdc++'s handler, which names the exception through a demangler and stdio that nothing else here needs: a third
// of the memory and 100 KB of the program.
#include <cstdlib>

namespace __gnu_cxx {

void __verbose_terminate_handler() { std::abort(); }

}  // namespace __gnu_cxx
