# SPDX-License-Identifier: GPL-2.0-only
"""OpenSSL and GnuTLS as ends of a connection, called through ctypes. A test can so decide
when each end writes, reads and takes a new key, which no ready-made program allows.

An end does not block: read() and write() return None if they would have to wait.
pump() moves several ends.
"""
import ctypes
import hashlib
import os
import select
import subprocess
import time

CERT, KEY = "/tmp/matrix-cert.pem", "/tmp/matrix-key.pem"
KEYS = "/mnt/host/keys.log"
CHUNK = 1 << 16

OPENSSL_SUITE = {
    ("1.2", "aes-128-gcm"): b"ECDHE-ECDSA-AES128-GCM-SHA256",
    ("1.2", "aes-256-gcm"): b"ECDHE-ECDSA-AES256-GCM-SHA384",
    ("1.2", "chacha20-poly1305"): b"ECDHE-ECDSA-CHACHA20-POLY1305",
    ("1.3", "aes-128-gcm"): b"TLS_AES_128_GCM_SHA256",
    ("1.3", "aes-256-gcm"): b"TLS_AES_256_GCM_SHA384",
    ("1.3", "chacha20-poly1305"): b"TLS_CHACHA20_POLY1305_SHA256",
}
OPENSSL_VERSION = {"1.2": 0x0303, "1.3": 0x0304}
# openssl/ssl.h, openssl/bio.h
SSL_OP_ENABLE_KTLS = 1 << 3
SSL_CTRL_MODE, SSL_CTRL_SET_MIN, SSL_CTRL_SET_MAX = 33, 123, 124
SSL_MODES = 1 | 2 | 4   # partial writes, moving buffers, no hidden retries
SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE, SSL_ERROR_ZERO_RETURN = 2, 3, 6
BIO_CTRL_GET_KTLS_SEND, BIO_CTRL_GET_KTLS_RECV = 73, 76
SSL_FILETYPE_PEM = 1
# gnutls/gnutls.h
GNUTLS_SERVER, GNUTLS_CLIENT, GNUTLS_NONBLOCK = 1, 2, 1 << 3
GNUTLS_CRD_CERTIFICATE, GNUTLS_X509_FMT_PEM = 1, 1
GNUTLS_E_AGAIN, GNUTLS_E_INTERRUPTED, GNUTLS_KU_PEER = -28, -52, 1
GNUTLS_TRANSIENT = (GNUTLS_E_AGAIN, GNUTLS_E_INTERRUPTED)


class Broken(AssertionError):
    """The library reports that the connection is broken."""


def _library(name, **returns):
    lib = ctypes.CDLL(name, use_errno=True)
    for function, kind in returns.items():
        getattr(lib, function).restype = kind
    return lib


_ptr, _long = ctypes.c_void_p, ctypes.c_long
_ssl = _library("libssl.so.3", TLS_method=_ptr, SSL_CTX_new=_ptr, SSL_new=_ptr,
                SSL_get_wbio=_ptr, SSL_get_rbio=_ptr, SSL_CTX_ctrl=_long,
                SSL_CTX_set_options=ctypes.c_uint64)
_crypto = _library("libcrypto.so.3", BIO_ctrl=_long,
                   ERR_get_error=ctypes.c_ulong)
_gnutls = _library("libgnutls.so.30", gnutls_record_send=ctypes.c_ssize_t,
                   gnutls_record_recv=ctypes.c_ssize_t,
                   gnutls_strerror=ctypes.c_char_p)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
def _note_key(_session, line):
    secrets.append(line.decode())
    if os.path.isdir(os.path.dirname(KEYS)):
        with open(KEYS, "a", encoding="ascii") as file:
            file.write(line.decode() + "\n")


secrets = []    # lines of a key log for tshark, completed by hand


class Openssl:
    """One end, made with OpenSSL; with ktls=True the kernel does the records if it can."""

    _contexts = {}

    def __init__(self, sock, server, version, cipher, ktls=False):
        sock.setblocking(False)
        self.sock, self.name = sock, "OpenSSL"
        self.ssl = _ptr(_ssl.SSL_new(self._context(server, version, cipher,
                                                   ktls)))
        _ssl.SSL_set_fd(self.ssl, sock.fileno())
        (_ssl.SSL_set_accept_state if server else
         _ssl.SSL_set_connect_state)(self.ssl)
        self._buffer = ctypes.create_string_buffer(CHUNK)

    @classmethod
    def _context(cls, *key):
        if key not in cls._contexts:
            cls._contexts[key] = cls._new_context(*key)
        return cls._contexts[key]

    @staticmethod
    def _new_context(server, version, cipher, ktls):
        ctx = _ptr(_ssl.SSL_CTX_new(_ptr(_ssl.TLS_method())))
        number = _long(OPENSSL_VERSION[version])
        _ssl.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN, number, None)
        _ssl.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MAX, number, None)
        _ssl.SSL_CTX_ctrl(ctx, SSL_CTRL_MODE, _long(SSL_MODES), None)
        if ktls:
            _ssl.SSL_CTX_set_options(ctx, ctypes.c_uint64(SSL_OP_ENABLE_KTLS))
        choose = (_ssl.SSL_CTX_set_cipher_list if version == "1.2" else
                  _ssl.SSL_CTX_set_ciphersuites)
        fine = choose(ctx, OPENSSL_SUITE[version, cipher])
        if server:
            fine &= _ssl.SSL_CTX_use_certificate_file(ctx, CERT.encode(),
                                                      SSL_FILETYPE_PEM)
            fine &= _ssl.SSL_CTX_use_PrivateKey_file(ctx, KEY.encode(),
                                                     SSL_FILETYPE_PEM)
        _ssl.SSL_CTX_set_keylog_callback(ctx, _note_key)
        if not fine:
            raise Broken("OpenSSL does not take suite or certificate")
        return ctx

    def _again(self, result, what):
        """Return None if the call is to be repeated later; raise if the connection is
        broken."""
        code = _ssl.SSL_get_error(self.ssl, result)
        reason = _crypto.ERR_get_error()
        _crypto.ERR_clear_error()   # the library's error queue is shared with the other end
        if code in (SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE):
            return None
        if code == SSL_ERROR_ZERO_RETURN:
            return b""
        text = ctypes.create_string_buffer(256)
        _crypto.ERR_error_string_n(ctypes.c_ulong(reason), text,
                                   ctypes.c_size_t(256))
        raise Broken(f"OpenSSL: {what}: error {code}, {text.value.decode()}, "
                     f"{os.strerror(ctypes.get_errno())}")

    def handshake(self):
        """True when done."""
        result = _ssl.SSL_do_handshake(self.ssl)
        return result == 1 or self._again(result, "handshake") is True

    def read(self):
        """The bytes that are there; b"" at the end of the stream; None if nothing is there
        yet."""
        got = _ssl.SSL_read(self.ssl, self._buffer, CHUNK)
        if got > 0:
            return self._buffer.raw[:got]
        return self._again(got, "read")

    def write(self, data):
        """Bytes taken, or None."""
        done = _ssl.SSL_write(self.ssl, data, len(data))
        return done if done > 0 else self._again(done, "write")

    def key_update(self):
        """A new key for sending; the next write tells the peer."""
        if _ssl.SSL_key_update(self.ssl, 0) != 1:
            raise Broken("OpenSSL: key update refused")
        result = _ssl.SSL_do_handshake(self.ssl)
        if result != 1:
            self._again(result, "key update")

    def ktls(self):
        """(sending, receiving): True if the kernel does it."""
        return tuple(
            _crypto.BIO_ctrl(_ptr(bio(self.ssl)), what, _long(0), None) == 1
            for bio, what in ((_ssl.SSL_get_wbio, BIO_CTRL_GET_KTLS_SEND),
                              (_ssl.SSL_get_rbio, BIO_CTRL_GET_KTLS_RECV)))

    def bye(self):
        """Send close_notify, unless that would block."""
        _ssl.SSL_shutdown(self.ssl)

    def close(self):
        """Free the connection; may be called several times."""
        _ssl.SSL_free(self.ssl)
        self.ssl = None     # SSL_free(NULL) does nothing
        self.sock.close()


class Gnutls:
    """One end, made with GnuTLS, without kernel TLS."""

    _credentials = None

    def __init__(self, sock, server, version, cipher):
        sock.setblocking(False)
        self.sock, self.name, self._left = sock, "GnuTLS", False
        self.session = _ptr()
        _gnutls.gnutls_init(ctypes.byref(self.session), GNUTLS_NONBLOCK |
                            (GNUTLS_SERVER if server else GNUTLS_CLIENT))
        priority = (f"NORMAL:-VERS-ALL:+VERS-TLS{version}:-CIPHER-ALL:"
                    f"+{cipher.upper()}")
        self._check(_gnutls.gnutls_priority_set_direct(
            self.session, priority.encode(), None), "priorities")
        self._check(_gnutls.gnutls_credentials_set(
            self.session, GNUTLS_CRD_CERTIFICATE, self._trust()), "credentials")
        _gnutls.gnutls_transport_set_int2(self.session, sock.fileno(),
                                          sock.fileno())
        self._buffer = ctypes.create_string_buffer(CHUNK)

    @classmethod
    def _trust(cls):
        if not cls._credentials:
            made = _ptr()
            cls._check(_gnutls.gnutls_certificate_allocate_credentials(
                ctypes.byref(made)), "credentials")
            cls._check(_gnutls.gnutls_certificate_set_x509_key_file(
                made, CERT.encode(), KEY.encode(), GNUTLS_X509_FMT_PEM),
                "certificate")
            cls._credentials = made
        return cls._credentials

    @staticmethod
    def _check(code, what):
        if code < 0:
            text = _gnutls.gnutls_strerror(code).decode()
            raise Broken(f"GnuTLS: {what}: {text}")
        return code

    def _or_again(self, code, what):
        return None if code in GNUTLS_TRANSIENT else self._check(code, what)

    def handshake(self):
        """True when done."""
        code = _gnutls.gnutls_handshake(self.session)
        return self._or_again(code, "handshake") is not None

    def read(self):
        """See Openssl.read()."""
        got = _gnutls.gnutls_record_recv(self.session, self._buffer,
                                         ctypes.c_size_t(CHUNK))
        got = self._or_again(got, "read")
        return None if got is None else self._buffer.raw[:got]

    def write(self, data):
        """See Openssl.write(); data that could not be written is sent first by the next call."""
        if self._left:
            done = _gnutls.gnutls_record_send(self.session, None,
                                              ctypes.c_size_t(0))
        else:
            done = _gnutls.gnutls_record_send(self.session, data,
                                              ctypes.c_size_t(len(data)))
        self._left = done in GNUTLS_TRANSIENT
        return self._or_again(done, "write")

    def key_update(self):
        """See Openssl.key_update(); data given to write() earlier is written out first."""
        code = _gnutls.gnutls_session_key_update(self.session, 0)
        if self._or_again(code, "key update") is None:
            self._left = True

    def bye(self):
        """Send close_notify, unless that would block."""
        _gnutls.gnutls_bye(self.session, 1)

    def close(self):
        """Free the connection; may be called several times."""
        _gnutls.gnutls_deinit(self.session)
        self.session = None
        self.sock.close()


class Job:
    """The data that one end has to write, and the number of bytes that it has to
    read."""

    # sizes of writes: some larger than a record, some smaller
    SIZES = (1, 16384, 700, 40000, 16383, 5000, 1400, 16384, 16384, 65000)

    def __init__(self, end, data=b"", expect=0):
        self.end, self.data, self.expect = end, memoryview(data), expect
        self.at = self.turn = 0
        self.piece = None
        self.digest, self.length = hashlib.sha256(), 0

    @property
    def written(self):
        """True if all data has been given to the library or the kernel."""
        return self.at == len(self.data)

    @property
    def done(self):
        """True if all data is written and all expected data is read."""
        return self.written and self.length >= self.expect

    def _next_piece(self):
        size = self.SIZES[self.turn % len(self.SIZES)]
        self.turn += 1
        return bytes(self.data[self.at:self.at + size])

    def write(self):
        """Write one piece of the data. True if something moved."""
        if self.written:
            return False
        # a refused piece has to be repeated unchanged
        self.piece = self.piece or self._next_piece()
        count = self.end.write(self.piece)
        if count is None:
            return False
        self.at += count
        self.piece = self.piece[count:]
        return True

    def read(self):
        """Read the data that is there; True if there was any."""
        if self.length >= self.expect:
            return False
        data = self.end.read()
        if data is None:
            return False
        if not data:
            raise Broken(f"{self.end.name}: the stream ended at {self.length}")
        self.digest.update(data)
        self.length += len(data)
        return True


def _wait(jobs):
    """Wait until one of the ends can read or write."""
    poll = select.poll()
    for job in jobs:
        poll.register(job.end.sock, select.POLLIN |
                      (0 if job.written else select.POLLOUT))
    poll.poll(50)


def pump(*jobs, timeout=60):
    """Move all jobs until each is done."""
    end = time.monotonic() + timeout
    while not all(job.done for job in jobs):
        moved = [job.write() | job.read() for job in jobs]
        if any(moved):
            continue
        if time.monotonic() > end:
            raise Broken("; ".join(
                f"{job.end.name}: {job.at} of {len(job.data)} bytes written, "
                f"{job.length} of {job.expect} read" for job in jobs))
        _wait(jobs)


def handshake(*ends, timeout=30):
    """Move both ends until their handshake is complete."""
    left, end = set(ends), time.monotonic() + timeout
    while left:
        left = {one for one in left if not one.handshake()}
        if time.monotonic() > end:
            raise Broken("no end to the handshake")
        if left:
            select.select([one.sock for one in left], [], [], 0.05)


def certificate():
    """Make a certificate for the end that is the server."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=vktls",
                    "-keyout", KEY, "-out", CERT], check=True,
                   capture_output=True)


def digest(data):
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()
