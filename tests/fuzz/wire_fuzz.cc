// SPDX-License-Identifier: Apache-2.0
// modules: wire
// Bytes from peers and clients: decoding never crashes, and what was read can be written and read
// again to the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wire/codec.h"
#include "wire/json.h"
#include "wire/operations.h"

namespace {

template <class T>
void decode_twice(std::string_view bytes) {
  const auto first = distcron::wire::decode<T>(bytes);
  if (!first) return;
  const std::string written = distcron::wire::encode(*first);
  const auto second = distcron::wire::decode<T>(written);
  if (!second || distcron::wire::encode(*second) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace distcron;
  // The version byte would only cost the fuzzer time.
  const std::string bytes = wire::kWireVersion + std::string(data, data + size);
  decode_twice<model::Entry>(bytes);
  decode_twice<model::JobSpec>(bytes);
  decode_twice<model::Run>(bytes);
  decode_twice<model::HostReport>(bytes);
  decode_twice<std::vector<model::Fact>>(bytes);
  decode_twice<wire::Request>(bytes);
  decode_twice<wire::PutJobsRequest>(bytes);
  decode_twice<wire::StatusReply>(bytes);
  const auto spec = wire::from_json<model::JobSpec>(std::string_view(bytes).substr(1));
  if (spec && !wire::from_json<model::JobSpec>(wire::to_json(*spec))) std::abort();
  return 0;
}
