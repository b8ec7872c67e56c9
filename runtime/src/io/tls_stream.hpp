#pragma once

// io/tls_stream.hpp - the TLS of one connection: bytes in, bytes out, and what state it is in.
//
// No socket, no system call, no clock of ours: a port feeds it what has come and sends what it
// says; tests and the fuzzer feed it whatever they like. OpenSSL sees whole records only. What is
// incomplete is kept here, as long as it is and not as long as it may become: a peer that begins a
// record and stops costs what it has sent, and not OpenSSL's buffer of 17 KB.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <otter/tls.hpp>
#include <string>
#include <string_view>

#include "io/tls_settings.hpp"

struct bio_st;
struct x509_store_ctx_st;

namespace otter::rts {

class tls_stream;

/// What the first bytes of a peer are.
enum class first_record : std::uint8_t { incomplete, complete, not_tls };
first_record look_at_first(std::string_view stream) noexcept;

/// The sentence for bytes that are no TLS. Throws: std::bad_alloc.
tls_failure not_tls(std::string_view stream);

/// The ways from OpenSSL to a stream. No exception passes through them, and nothing is suspended.
struct tls_callbacks {
  /// For a context: its streams check the peer's certificate, and note what is wrong with it.
  static void verify(ssl_ctx_st* context, int mode) noexcept;
  /// For a client's: sessions that can be resumed go into its cache.
  static void remember_sessions(ssl_ctx_st* context) noexcept;

  static tls_stream& stream_of(ssl_st const* ssl) noexcept;
  static int check_certificate(int ok, x509_store_ctx_st* at) noexcept;
  static int keep_session(ssl_st* ssl, ssl_session_st* session) noexcept;
  static int read(bio_st* bio, char* into, std::size_t room, std::size_t* n) noexcept;
  static int write(bio_st* bio, char const* data, std::size_t size, std::size_t* n) noexcept;
  static long control(bio_st* bio, int what, long number, void* pointer) noexcept;
};

/// Ownership: one port's or one handshake's.
/// Threads:   one at a time: the process that makes the handshake, then who holds the port's lock.
///            It keeps nothing in the thread: OpenSSL's queue of errors is empty before and after
///            each call.
/// Invariant: what fed_ views is alive only during a call.
class tls_stream {
 public:
  /// `server_name`: a client's; see tls_handshake_options. Throws: std::bad_alloc.
  tls_stream(std::shared_ptr<tls_settings const> settings, std::string server_name);
  tls_stream(tls_stream const&) = delete;
  tls_stream& operator=(tls_stream const&) = delete;
  ~tls_stream();

  enum class got : std::uint8_t {
    bytes,    ///< or the handshake is done
    nothing,  ///< more has to come
    end,      ///< the peer has said farewell: no more will come
    failed,   ///< see error()
  };

  /// Goes on with the handshake, with what has come. Fails at most once.
  got handshake(std::string_view came) noexcept;
  /// Decrypts what has come, behind what was kept, into `into`; `n` bytes of it, if `bytes`. What
  /// `room` does not hold is kept, and has_more() says so: then nothing is to be fed until it has
  /// been read.
  got read(std::string_view came, char* into, std::size_t room, std::size_t& n) noexcept;
  bool has_more() const noexcept { return more_; }

  static constexpr std::size_t most_at_once = 16384;  // one record
  /// Encrypts at most so many bytes. False: see error().
  bool write(std::string_view plain) noexcept;
  /// There will be no more write(). Reading goes on.
  void say_farewell() noexcept;

  /// What is to be sent, in order. The caller empties it.
  std::string& out() noexcept { return out_; }

  /// A tls_errc or an errno; 0 if nothing has failed.
  int error() const noexcept { return error_; }
  /// More about it, for a handshake.
  std::string const& why() const noexcept { return why_; }
  bool show_truncation() const noexcept { return settings_->show_truncation; }
  bool established() const noexcept { return established_; }

  /// For the port: bytes of answers since its queue was empty.
  std::size_t unread_answers = 0;

  // --- facts, once established; throw std::bad_alloc ---
  tls_info info() const;
  std::vector<std::byte> peer_certificate() const;
  /// False: this connection can give none.
  bool export_key_material(std::string_view label, std::vector<std::byte>& into) const;

 private:
  friend struct tls_callbacks;

  void stage(std::string_view came);
  void unstage() noexcept;
  got failed(int openssl_result) noexcept;
  got fail(int error, std::string_view why) noexcept;
  int classify() noexcept;

  std::shared_ptr<tls_settings const> settings_;
  openssl_ptr<ssl_st> ssl_;
  std::string name_;         // a client's: whom it wants, and the key of the session
  std::string kept_;         // what came and was not used: less than a record, or what had no room
  std::string_view fed_;     // what OpenSSL may take during this call ...
  std::string_view behind_;  // ... and what follows it and is no whole record
  std::string out_;
  std::string why_;
  std::size_t without_content_ = 0;  // so many bytes have come since there was something to read
  int error_ = 0;
  bool established_ = false;
  bool first_seen_ = false;
  bool more_ = false;
  bool ended_ = false;
  bool farewell_ = false;
  bool tickets_sent_ = false;
  bool no_memory_ = false;
};

}  // namespace otter::rts
