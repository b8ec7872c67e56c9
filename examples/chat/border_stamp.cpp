#include "chat_border_stamp.hpp"
#include "session_border.hpp"

namespace chat {

std::string_view border_stamp() noexcept { return CHAT_BORDER_STAMP; }

}  // namespace chat
