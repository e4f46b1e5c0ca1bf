// SPDX-License-Identifier: Apache-2.0
#include "wire/codec_impl.h"

namespace distcron::wire {

#define DC_CODEC(...)                              \
  template std::string encode(const __VA_ARGS__&); \
  template Result<__VA_ARGS__> decode(std::string_view)

DC_CODEC(model::Entry);
DC_CODEC(model::JobSpec);
DC_CODEC(model::Run);
DC_CODEC(model::HostReport);
DC_CODEC(model::LocalRun);
DC_CODEC(model::Node);
DC_CODEC(model::JoinToken);
DC_CODEC(std::vector<model::Fact>);

#undef DC_CODEC

}  // namespace distcron::wire
