#include "precis.hpp"

#include <arpa/inet.h>
#include <unicode/idna.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace chat {
namespace {

enum class string_class { identifier, freeform };
enum class verdict { valid, disallowed, in_context };

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

icu::UnicodeString from_utf8(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece{text.data(), static_cast<std::int32_t>(text.size())});
}

std::string to_utf8(icu::UnicodeString const& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

icu::Normalizer2 const& nfc() {
  UErrorCode status = U_ZERO_ERROR;
  auto const* n = icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status)) throw std::runtime_error("precis: ICU has no NFC data");
  return *n;
}

icu::Normalizer2 const& nfkc() {
  UErrorCode status = U_ZERO_ERROR;
  auto const* n = icu::Normalizer2::getNFKCInstance(status);
  if (U_FAILURE(status)) throw std::runtime_error("precis: ICU has no NFKC data");
  return *n;
}

bool is_arabic_indic(UChar32 c) { return c >= 0x0660 && c <= 0x0669; }
bool is_extended_arabic_indic(UChar32 c) { return c >= 0x06F0 && c <= 0x06F9; }

/// The code point categories of RFC 8264, section 8, in the order of its section 8 algorithm.
verdict judge(UChar32 c, string_class kind) {
  switch (c) {  // exceptions, RFC 5892 section 2.6
    case 0x00DF:
    case 0x03C2:
    case 0x06FD:
    case 0x06FE:
    case 0x0F0B:
    case 0x3007:
      return verdict::valid;
    case 0x0640:
    case 0x07FA:
    case 0x302E:
    case 0x302F:
    case 0x3031:
    case 0x3032:
    case 0x3033:
    case 0x3034:
    case 0x3035:
    case 0x303B:
      return verdict::disallowed;
    case 0x00B7:
    case 0x0375:
    case 0x05F3:
    case 0x05F4:
    case 0x30FB:
    case 0x200C:
    case 0x200D:
      return verdict::in_context;
    default:
      break;
  }
  if (is_arabic_indic(c) || is_extended_arabic_indic(c)) return verdict::in_context;
  auto const category = u_charType(c);
  if (category == U_UNASSIGNED || category == U_SURROGATE || category == U_PRIVATE_USE_CHAR)
    return verdict::disallowed;
  if (c >= 0x21 && c <= 0x7E) return verdict::valid;
  auto const hangul = u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE);
  if (hangul == U_HST_LEADING_JAMO || hangul == U_HST_VOWEL_JAMO || hangul == U_HST_TRAILING_JAMO)
    return verdict::disallowed;
  if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) ||
      u_hasBinaryProperty(c, UCHAR_NONCHARACTER_CODE_POINT) || category == U_CONTROL_CHAR)
    return verdict::disallowed;
  bool const freeform = kind == string_class::freeform;
  icu::UnicodeString const text{c};
  UErrorCode status = U_ZERO_ERROR;
  if (nfkc().normalize(text, status) != text)  // "has a compatibility form"
    return freeform ? verdict::valid : verdict::disallowed;
  switch (category) {
    case U_LOWERCASE_LETTER:
    case U_UPPERCASE_LETTER:
    case U_OTHER_LETTER:
    case U_MODIFIER_LETTER:
    case U_DECIMAL_DIGIT_NUMBER:
    case U_NON_SPACING_MARK:
    case U_COMBINING_SPACING_MARK:
      return verdict::valid;
    case U_TITLECASE_LETTER:
    case U_LETTER_NUMBER:
    case U_OTHER_NUMBER:
    case U_ENCLOSING_MARK:
    case U_SPACE_SEPARATOR:
    case U_MATH_SYMBOL:
    case U_CURRENCY_SYMBOL:
    case U_MODIFIER_SYMBOL:
    case U_OTHER_SYMBOL:
    case U_CONNECTOR_PUNCTUATION:
    case U_DASH_PUNCTUATION:
    case U_START_PUNCTUATION:
    case U_END_PUNCTUATION:
    case U_INITIAL_PUNCTUATION:
    case U_FINAL_PUNCTUATION:
    case U_OTHER_PUNCTUATION:
      return freeform ? verdict::valid : verdict::disallowed;
    default:
      return verdict::disallowed;
  }
}

bool has_script(UChar32 c, UScriptCode script) { return uscript_hasScript(c, script) != 0; }

/// The context rules of RFC 5892, appendix A, for the character at `at`.
bool context_allows(icu::UnicodeString const& text, std::int32_t at) {
  auto const c = text.char32At(at);
  auto const before = at > 0 ? text.char32At(text.moveIndex32(at, -1)) : -1;
  auto const next_at = text.moveIndex32(at, 1);
  auto const after = next_at < text.length() ? text.char32At(next_at) : -1;
  if (c == 0x200C || c == 0x200D)
    return before >= 0 && u_getCombiningClass(before) == 9;  // behind a virama
  if (c == 0x00B7) return before == 'l' && after == 'l';
  if (c == 0x0375) return after >= 0 && has_script(after, USCRIPT_GREEK);
  if (c == 0x05F3 || c == 0x05F4) return before >= 0 && has_script(before, USCRIPT_HEBREW);
  bool japanese = false;
  bool arabic_indic = false;
  bool extended = false;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto const other = text.char32At(i);
    arabic_indic = arabic_indic || is_arabic_indic(other);
    extended = extended || is_extended_arabic_indic(other);
    auto const script = [&](UScriptCode s) { return other != 0x30FB && has_script(other, s); };
    japanese =
        japanese || script(USCRIPT_HIRAGANA) || script(USCRIPT_KATAKANA) || script(USCRIPT_HAN);
  }
  if (c == 0x30FB) return japanese;
  return !(arabic_indic && extended);  // one family of digits only
}

bool characters_allowed(icu::UnicodeString const& text, string_class kind) {
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto const v = judge(text.char32At(i), kind);
    if (v == verdict::disallowed) return false;
    if (v == verdict::in_context && !context_allows(text, i)) return false;
  }
  return true;
}

/// The bidi rule of RFC 5893, section 2, applied to a whole name.
bool bidi_allowed(icu::UnicodeString const& text) {
  bool right_to_left = false;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto const d = u_charDirection(text.char32At(i));
    right_to_left = right_to_left || d == U_RIGHT_TO_LEFT || d == U_RIGHT_TO_LEFT_ARABIC ||
                    d == U_ARABIC_NUMBER;
  }
  if (!right_to_left) return true;
  auto const first = u_charDirection(text.char32At(0));
  bool const rtl = first == U_RIGHT_TO_LEFT || first == U_RIGHT_TO_LEFT_ARABIC;
  if (!rtl && first != U_LEFT_TO_RIGHT) return false;  // condition 1
  bool european = false;
  bool arabic = false;
  auto last = first;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto const d = u_charDirection(text.char32At(i));
    switch (d) {  // conditions 2 and 5
      case U_EUROPEAN_NUMBER:
        european = true;
        break;
      case U_ARABIC_NUMBER:
        arabic = true;
        if (!rtl) return false;
        break;
      case U_RIGHT_TO_LEFT:
      case U_RIGHT_TO_LEFT_ARABIC:
        if (!rtl) return false;
        break;
      case U_LEFT_TO_RIGHT:
        if (rtl) return false;
        break;
      case U_EUROPEAN_NUMBER_SEPARATOR:
      case U_COMMON_NUMBER_SEPARATOR:
      case U_EUROPEAN_NUMBER_TERMINATOR:
      case U_OTHER_NEUTRAL:
      case U_BOUNDARY_NEUTRAL:
      case U_DIR_NON_SPACING_MARK:
        break;
      default:
        return false;
    }
    if (d != U_DIR_NON_SPACING_MARK) last = d;
  }
  if (rtl)  // conditions 3 and 4
    return !(european && arabic) && (last == U_RIGHT_TO_LEFT || last == U_RIGHT_TO_LEFT_ARABIC ||
                                     last == U_EUROPEAN_NUMBER || last == U_ARABIC_NUMBER);
  return last == U_LEFT_TO_RIGHT || last == U_EUROPEAN_NUMBER;  // condition 6
}

/// Full-width and half-width forms become the plain ones.
icu::UnicodeString map_width(icu::UnicodeString const& text) {
  icu::UnicodeString out;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto const c = text.char32At(i);
    auto const type = u_getIntPropertyValue(c, UCHAR_DECOMPOSITION_TYPE);
    icu::UnicodeString plain;
    if ((type == U_DT_WIDE || type == U_DT_NARROW) && nfkc().getRawDecomposition(c, plain))
      out += plain;
    else
      out += c;
  }
  return out;
}

icu::UnicodeString to_nfc(icu::UnicodeString const& text) {
  UErrorCode status = U_ZERO_ERROR;
  auto out = nfc().normalize(text, status);
  if (U_FAILURE(status)) throw std::runtime_error("precis: ICU cannot normalise");
  return out;
}

icu::UnicodeString map_username(icu::UnicodeString const& text) {
  auto out = map_width(text);
  out.toLower(icu::Locale::getRoot());
  return to_nfc(out);
}

icu::UnicodeString map_opaque(icu::UnicodeString const& text) {
  icu::UnicodeString out;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto const c = text.char32At(i);
    out += u_charType(c) == U_SPACE_SEPARATOR ? static_cast<UChar32>(' ') : c;
  }
  return to_nfc(out);
}

/// An IPv6 address in brackets, or nothing.
bool is_ipv6_literal(std::string_view text) {
  if (text.size() < 4 || text.front() != '[' || text.back() != ']') return false;
  std::string const inside{text.substr(1, text.size() - 2)};
  in6_addr address{};
  return ::inet_pton(AF_INET6, inside.c_str(), &address) == 1;
}

bool is_ldh_domain(std::string_view text) {
  std::size_t label = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '.') continue;
    auto const part = text.substr(label, i - label);
    if (part.empty() || part.size() > 63 || part.front() == '-' || part.back() == '-') return false;
    bool const ldh = std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (!ldh) return false;
    label = i + 1;
  }
  return true;
}

std::string ascii_lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

icu::IDNA const& idna() {
  static std::unique_ptr<icu::IDNA> const instance = [] {
    UErrorCode status = U_ZERO_ERROR;
    std::unique_ptr<icu::IDNA> made{icu::IDNA::createUTS46Instance(
        UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
            UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE,
        status)};
    if (U_FAILURE(status)) throw std::runtime_error("precis: ICU has no IDNA data");
    return made;
  }();
  return *instance;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  std::size_t i = 0;
  auto const at = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  while (i < text.size()) {
    unsigned const lead = at(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    std::size_t const more = lead >= 0xC2 && lead <= 0xDF   ? 1
                             : lead >= 0xE0 && lead <= 0xEF ? 2
                             : lead >= 0xF0 && lead <= 0xF4 ? 3
                                                            : 0;
    if (more == 0 || text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((at(i + k) & 0xC0U) != 0x80) return false;
    unsigned const second = at(i + 1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
      return false;  // over-long, surrogate, beyond U+10FFFF
    i += more + 1;
  }
  return true;
}

std::optional<std::string> username_case_mapped(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (is_ascii(text)) {
    bool const printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
    if (!printable) return std::nullopt;
    return ascii_lower(text);
  }
  if (!is_utf8(text)) return std::nullopt;
  auto const mapped = map_username(from_utf8(text));
  if (mapped.isEmpty() || !characters_allowed(mapped, string_class::identifier) ||
      !bidi_allowed(mapped))
    return std::nullopt;
  // A key must not change when it is prepared once more (RFC 8264, section 7).
  if (map_username(mapped) != mapped) return std::nullopt;
  return to_utf8(mapped);
}

std::optional<std::string> opaque_string(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (is_ascii(text)) {
    bool const printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
    if (!printable) return std::nullopt;
    return std::string{text};
  }
  if (!is_utf8(text)) return std::nullopt;
  auto const mapped = map_opaque(from_utf8(text));
  if (mapped.isEmpty() || !characters_allowed(mapped, string_class::freeform)) return std::nullopt;
  if (map_opaque(mapped) != mapped) return std::nullopt;
  return to_utf8(mapped);
}

std::optional<std::string> prepare_domain(std::string_view text) {
  if (is_ipv6_literal(text)) return ascii_lower(text);
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  if (text.empty()) return std::nullopt;
  if (is_ascii(text)) {
    auto lower = ascii_lower(text);
    if (!is_ldh_domain(lower)) return std::nullopt;
    // An A-label is turned into its U-label below, so that both spellings are one domain.
    if (!lower.starts_with("xn--") && lower.find(".xn--") == std::string::npos) return lower;
  }
  if (!is_utf8(text)) return std::nullopt;
  icu::UnicodeString out;
  icu::IDNAInfo info;
  UErrorCode status = U_ZERO_ERROR;
  idna().nameToUnicode(from_utf8(text), out, info, status);
  if (U_FAILURE(status) || info.hasErrors()) return std::nullopt;
  icu::UnicodeString ascii;
  icu::IDNAInfo ascii_info;
  idna().nameToASCII(out, ascii, ascii_info, status);  // also checks the lengths on the wire
  if (U_FAILURE(status) || ascii_info.hasErrors()) return std::nullopt;
  auto prepared = to_utf8(out);
  if (!prepared.empty() && prepared.back() == '.') prepared.pop_back();
  if (prepared.empty()) return std::nullopt;
  return prepared;
}

}  // namespace chat
