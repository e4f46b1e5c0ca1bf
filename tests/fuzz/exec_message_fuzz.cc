// SPDX-License-Identifier: Apache-2.0
// Everything that executor and stub read from somebody else: messages, plans, the journal, end
// records, the policy file. Whatever is decoded is also used, so that a bad bound shows.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "process/end_record.h"
#include "process/exec_journal.h"
#include "process/exec_message.h"
#include "process/host_policy.h"
#include "process/plan_view.h"

using namespace distcron::process;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  Message message;
  if (decode_message(bytes, message) && message.text.size() > kMessageTextMax) __builtin_trap();
  PlanView plan;
  if (decode_plan(bytes, plan) == nullptr) {
    std::vector<char*> argv(plan.argv.count + 1);
    std::vector<char*> env(plan.env.count + 1);
    plan.argv.fill(argv.data());
    plan.env.fill(env.data());
    for (std::uint32_t i = 0; i < plan.header.limit_count; ++i)
      (void)plan.limit(i);
  }
  PolicyView policy_view;
  if (decode_policy_view(bytes, size, policy_view) == nullptr) {
    (void)refusal({}, policy_view, "root", 0);
  }
  EndRecord record;
  (void)decode_end_record(bytes, record);
  JournalEntry entry;
  (void)decode_journal_entry(bytes, entry);
  JournalState state;
  (void)replay_journal(bytes, std::string_view("00000000-0000-0000-0000-000000000000"), state);
  HostPolicy policy;
  (void)parse_policy("f", {reinterpret_cast<const char*>(data), size}, policy);
  return 0;
}
