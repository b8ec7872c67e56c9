#pragma once

// tls_server.hpp - the TLS of the bare loop: a key on P-256, a certificate signed by itself, and a
// ticket for each connection. What otter's server has in this row, made by OpenSSL alone.

#include "../../tls_over_memory.hpp"

namespace bare {

/// For all threads: OpenSSL counts its references.
bench::openssl_ptr<SSL_CTX> tls_server();

}  // namespace bare
