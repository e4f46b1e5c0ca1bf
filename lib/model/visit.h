// SPDX-License-Identifier: Apache-2.0
// DC_VISIT(Type, self): the head of a field list, visit_fields(Type& or const Type&, Visitor&&).
// The constraint keeps one list from answering for another type.
#pragma once

#include <type_traits>

#define DC_VISIT(Type, self)                            \
  template <class T, class Visitor>                     \
  requires std::is_same_v<std::remove_const_t<T>, Type> \
  void visit_fields(T& self, Visitor&& visit)
