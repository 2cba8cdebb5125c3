// Lets `burst` events through at once and then one every `interval`; counts those held back.
#pragma once

#include "core/time.h"

namespace core {

class RateLimit {
 public:
  RateLimit(unsigned burst, Nanos interval) : burst_(burst), interval_(interval), tokens_(burst) {}

  [[nodiscard]] bool allow(Instant now) {
    refill(now);
    if (tokens_ == 0) {
      ++held_back_;
      return false;
    }
    --tokens_;
    return true;
  }

  // How many were held back since this was last asked.
  [[nodiscard]] unsigned take_held_back() {
    const unsigned n = held_back_;
    held_back_ = 0;
    return n;
  }

 private:
  void refill(Instant now) {
    if (tokens_ == burst_) last_ = now;
    const auto earned = (now - last_) / interval_;
    if (earned <= 0) return;
    last_ += earned * interval_;
    tokens_ = earned >= burst_ - tokens_ ? burst_ : tokens_ + static_cast<unsigned>(earned);
  }

  unsigned burst_;
  Nanos interval_;
  unsigned tokens_;
  Instant last_{};
  unsigned held_back_ = 0;
};

}  // namespace core
