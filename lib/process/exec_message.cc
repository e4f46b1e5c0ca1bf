// SPDX-License-Identifier: Apache-2.0
#include "process/exec_message.h"

#include <algorithm>
#include <cstring>

namespace distcron::process {

namespace {

constexpr std::uint32_t kExecMagic = 0x4d454344;  // "DCEM"

struct Shape {
  MessageType type;
  bool has_key;
  bool has_text;
};

constexpr Shape kShapes[] = {
    {MessageType::kSpawn, true, false},      {MessageType::kKill, true, false},
    {MessageType::kAck, true, false},        {MessageType::kRemove, true, false},
    {MessageType::kInventory, false, false}, {MessageType::kSpool, false, true},
    {MessageType::kHello, false, true},      {MessageType::kStarted, true, false},
    {MessageType::kRunning, true, false},    {MessageType::kRefused, true, true},
    {MessageType::kEnded, true, false},      {MessageType::kInventoryDone, false, false},
    {MessageType::kSpoolFile, false, true},
};

const Shape* shape_of(std::uint16_t type) {
  for (const Shape& shape : kShapes) {
    if (static_cast<std::uint16_t>(shape.type) == type) return &shape;
  }
  return nullptr;
}

}  // namespace

std::size_t encode_message(const Message& m, std::span<std::byte> out) {
  const MessageLayout layout{kExecMagic,   kExecVersion,  static_cast<std::uint16_t>(m.type),
                             m.key.run_id, m.key.attempt, m.code,
                             m.a,          m.b,           m.c};
  const std::size_t text_bytes = std::min(m.text.size(), kMessageTextMax);
  std::memcpy(out.data(), &layout, sizeof(layout));
  if (text_bytes != 0) std::memcpy(out.data() + sizeof(layout), m.text.data(), text_bytes);
  return sizeof(layout) + text_bytes;
}

bool decode_message(std::span<const std::byte> bytes, Message& m) {
  MessageLayout layout;
  if (bytes.size() < sizeof(layout) || bytes.size() > kMessageBytesMax) return false;
  std::memcpy(&layout, bytes.data(), sizeof(layout));
  if (layout.magic != kExecMagic || layout.version != kExecVersion) return false;
  const Shape* shape = shape_of(layout.type);
  if (shape == nullptr) return false;
  const bool is_key = layout.run_id > 0 && layout.attempt > 0;
  const bool is_blank = layout.run_id == 0 && layout.attempt == 0;
  if (shape->has_key ? !is_key : !is_blank) return false;
  if (!shape->has_text && bytes.size() != sizeof(layout)) return false;
  m.type = shape->type;
  m.key = {layout.run_id, layout.attempt};
  m.code = layout.code;
  m.a = layout.a;
  m.b = layout.b;
  m.c = layout.c;
  m.text = {reinterpret_cast<const char*>(bytes.data()) + sizeof(layout),
            bytes.size() - sizeof(layout)};
  if (m.type == MessageType::kKill) return m.code >= 0 && m.code <= 64 && m.a >= -1;
  return true;
}

}  // namespace distcron::process
