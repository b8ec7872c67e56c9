#pragma once

// otter/detail/message_change.hpp - a message whose type has another layout where it arrives: as a
// value of the layout that is known there, or not at all.
//
//   otter::detail::message_form      how values of one type are taken apart and put together
//   otter::detail::forms_of<List>    the forms of all messages of an accepts<...>, and their
//   answers otter::detail::convert_value()   one value to another layout of its type
//   otter::detail::changed_event     an event that carries what was made
//
// The rules are those of a state (otter/code_change.hpp). Both halves are in modules, whose code
// throws nothing but the unwinding token across its border; what has no module generates nothing.

#include <cstddef>
#include <new>
#include <otter/accepts.hpp>
#include <otter/detail/envelope.hpp>
#include <otter/detail/from_plain.hpp>
#include <otter/detail/module_table.hpp>
#include <otter/detail/succession.hpp>
#include <otter/detail/to_plain.hpp>
#include <otter/reactive.hpp>
#include <otter/reflection.hpp>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter::detail {

struct response;

/// A value in its parts, which stay where they are.
struct value_parts {
  std::vector<state_field> fields;
  bool whole = false;  // one part, the value itself: its type is no plain aggregate
};

/// What may be done with the value that is taken apart.
enum class source : unsigned char {
  taken,   ///< its parts may be moved, once nothing can fail
  shared,  ///< others need it too: its parts are copied
};

/// Constant, one per type and module. Never throws anything but the unwinding token.
struct message_form {
  bool (*take_apart)(void* value, value_parts& out, misfit& why);
  /// A value in an envelope of that kind; null if it cannot be made. Then nothing has moved.
  envelope* (*put_together)(value_parts const& from, source use, signal_kind kind, misfit& why);
  /// "int id, int count", or nothing.
  void (*print_fields)(std::string& out);
};

/// Moves that are made when nothing can fail any more.
class last_moves {
 public:
  template <class T>
  void add(void* from, T& to) {
    all_.push_back({from, std::addressof(to), [](void* source, void* target) noexcept {
                      *static_cast<T*>(target) = std::move(*static_cast<T*>(source));
                    }});
  }
  void run() noexcept {
    for (move const& m : all_) m.run(m.from, m.to);
  }

 private:
  struct move {
    void* from;
    void* to;
    void (*run)(void* from, void* to) noexcept;
  };
  std::vector<move> all_;
};

/// One part becomes `to`: as it is if the type is the same, else by its plain value.
template <class T>
bool bring_part(state_field const& part, T& to, source use, last_moves& moves, misfit& why) {
  if (!std::is_const_v<T> && same_type(*part.type, descriptor_of<T>())) {
    if constexpr (!std::is_const_v<T> && std::is_nothrow_move_assignable_v<T>) {
      if (use == source::taken) {
        moves.add(part.value, to);
        return true;
      }
    }
    if constexpr (!std::is_const_v<T> && copyable<T> && std::is_copy_assignable_v<T>) {
      to = *static_cast<T const*>(part.value);
      return true;
    }
    return why.of("a value of its own", part.type->name, type_name<T>(),
                  use == source::shared ? "it is shared, and can only be moved"
                                        : "it can neither be copied nor moved without fail");
  }
  plain_value plain;
  return part.to_plain(part.value, plain, why) && from_plain(plain, to, why);
}

void print_field(std::string& out, std::string_view type, std::string_view name);

// Hidden, as a type's descriptor is: each module has its own.
template <class T>
struct [[gnu::visibility("hidden")]] message_form_for {
  /// Its fields one by one, so that those of one type may be what cannot be taken apart.
  static constexpr bool by_fields = is_reflectable<T>;

  static bool take_apart(void* object, value_parts& out, misfit& why) {
    return guard_conversion(type_name<T>(), "any other", why, [&] {
      T& from = *static_cast<T*>(object);
      out.whole = !by_fields;
      if constexpr (by_fields) {
        for_each_field(from, [&](std::string_view name, auto& field) {
          using type = std::remove_cvref_t<decltype(field)>;
          // Of a const field nothing is moved: bring_part() sees to it that nothing const is
          // filled, and the other version's may be const here.
          out.fields.push_back(
              {name, &descriptor_of<type>(), const_cast<type*>(&field), &plain_of_part<type>});
        });
      } else {
        out.fields.push_back({{}, &descriptor_of<T>(), object, &plain_of_part<T>});
      }
      return true;
    });
  }

  static bool fill(T & now, value_parts const& from, source use, last_moves& moves, misfit& why) {
    if constexpr (by_fields) {
      if (from.whole) {
        plain_value plain;
        return from.fields[0].to_plain(from.fields[0].value, plain, why) &&
               from_plain(plain, now, why);
      }
      bool good = true;
      for_each_field(now, [&](std::string_view name, auto& field) {
        for (state_field const& part : from.fields)
          if (part.name == name)
            good = good && (bring_part(part, field, use, moves, why) || why.inside(name));
      });
      return good;
    } else {
      if (!from.whole) return why.of("a struct", {}, type_name<T>(), {});
      return bring_part(from.fields[0], now, use, moves, why);
    }
  }

  static envelope* put_together(value_parts const& from, source use, signal_kind kind,
                                misfit& why) {
    envelope_ptr made;
    guard_conversion({}, type_name<T>(), why, [&] {
      if constexpr (std::is_default_constructible_v<T>) {
        envelope_layout const layout = layout_of(kind, sizeof(T), alignof(T));
        envelope* const block = new_envelope_for(kind, layout, alignof(T));
        try {
          ::new (block->payload()) T{};
        } catch (...) {
          delete_block(block);
          throw;
        }
        block->type = &descriptor_of<T>();
        envelope_ptr now(block);
        last_moves moves;
        if (!fill(*static_cast<T*>(now->payload()), from, use, moves, why)) return false;
        moves.run();
        made = std::move(now);
        return true;
      } else {
        return why.of("a value", {}, type_name<T>(), "that has no default constructor");
      }
    });
    return made.release();
  }

  static void print_fields(std::string & out) {
    if constexpr (by_fields) {
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        (print_field(out, type_name<field_type<T, I>>(), field_name<T, I>), ...);
      }
      (std::make_index_sequence<field_count<T>>{});
    }
  }

  static constexpr message_form value{&take_apart, &put_together, &print_fields};
};

template <class M>
constexpr type_form form_of_message() noexcept {
  return {&descriptor_of<M>(), nullptr, &message_form_for<M>::value};
}
template <request_message M>
constexpr type_form form_of_answer() noexcept {
  using wire = wire_reply<reply_t<M>>;
  return {&descriptor_of<wire>(), &descriptor_of<M>(), &message_form_for<wire>::value};
}

/// What an entry of OTTER_MODULE takes for its `forms`.
template <class List>
struct forms_of;
template <class... M>
struct forms_of<accepts<M...>> {
  static constexpr std::size_t count = (sizeof...(M) + ... + std::size_t{request_message<M>});

  struct all_forms {
    type_form of[count == 0 ? 1 : count]{};
  };
  static constexpr all_forms make() noexcept {
    all_forms all{};
    [[maybe_unused]] std::size_t i = 0;
    ((all.of[i++] = form_of_message<M>()), ...);
    (
        [&]<class R>(std::type_identity<R>) {
          if constexpr (request_message<R>) all.of[i++] = form_of_answer<R>();
        }(std::type_identity<M>{}),
        ...);
    return all;
  }
  static constexpr all_forms forms = make();
  static constexpr std::span<type_form const> list{forms.of, count};
};

template <class A, class B>
struct joined_messages;
template <class... A, class... B>
struct joined_messages<accepts<A...>, accepts<B...>> {
  using list = accepts<A..., B...>;
};

/// Those of all that a behaviour lists: what waits in a machine may be an event of its own.
template <class T>
constexpr std::span<type_form const> forms_of_class() noexcept {
  if constexpr (requires {
                  typename T::accepts;
                  typename T::internal;
                })
    return forms_of<
        typename joined_messages<typename T::accepts, typename T::internal>::list>::list;
  else if constexpr (requires { typename T::accepts; })
    return forms_of<typename T::accepts>::list;
  else
    return {};
}

// --- what is done with them: message_change.cpp ---

struct converted_value {
  envelope_ptr value;  ///< of the wanted type; null: there is none
  std::string why{};   ///< both layouts, and what does not fit
};

/// `from`, a value of the type `of`, as a `to`, whose types need not be related. If there is none,
/// `from` is as it was.
///
/// Called from: a process, or an attached thread. Blocks: never.
converted_value convert_value(type_descriptor const& of, void* from, source use,
                              type_descriptor const& to, signal_kind kind);
/// The same to a type whose form the caller has.
converted_value convert_value(type_descriptor const& of, void* from, source use,
                              type_descriptor const& to, signal_kind kind,
                              message_form const& form);

/// An answer of another version becomes what the caller waits for, or the call's failure.
[[gnu::cold]] void convert_answer(response& got, type_descriptor const& wanted);

/// The entry whose type has another layout than `type`, and the same name; or null.
template <class Entry>
[[gnu::cold, gnu::noinline]] Entry const* find_other_layout(std::span<Entry const> table,
                                                            type_descriptor const& type) noexcept {
  for (Entry const& h : table)
    if (relate(*h.type, type) == type_relation::other_layout) return &h;
  return nullptr;
}

/// What was made in the place of what an event carries. Whose request it is stays the same.
class changed_event {
 public:
  explicit changed_event(envelope_ptr value) noexcept : event_(value.release()) {}
  changed_event(changed_event const&) = delete;
  changed_event& operator=(changed_event const&) = delete;
  ~changed_event() {
    if (envelope* const e = event_.release()) delete_envelope(e);
  }
  event& get() noexcept { return event_; }

 private:
  event event_;
};

/// The payload of `e` as a `to`, in an envelope of the same kind and from the same caller.
converted_value convert_event(event& e, type_descriptor const& to);
/// A cast that no handler knows, as a plain message.
envelope_ptr as_message(event& cast) noexcept;

}  // namespace otter::detail
