"""Requests that must not be understood, as data: what attackers of HTTP servers send, and what is
to be answered (RFC 9110 and 9112 say; where they leave a choice, refusing). Every request here is
followed by another, which must never be answered: whoever reads where one ends in another way than
its proxy does answers what was smuggled in."""

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

FRAMING = {
    "length and coding": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"0\r\n\r\n", 400),
    "coding and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
                          b"0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    "one length twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    "a list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nhello", 400),
    "a signed length": (POST + b"Content-Length: +5\r\n\r\nhello", 400),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "a hexadecimal length": (POST + b"Content-Length: 0x5\r\n\r\nhello", 400),
    "a length in two words": (POST + b"Content-Length: 5 5\r\n\r\nhello", 400),
    "an empty length": (POST + b"Content-Length:\r\n\r\n", 400),
    "a length of letters": (POST + b"Content-Length: five\r\n\r\nhello", 400),
    "a length past 64 bits": (POST + b"Content-Length: 18446744073709551621\r\n\r\nhello", 400),
    "a length of 64 bits": (POST + b"Content-Length: 18446744073709551615\r\n\r\nhello", 413),
    "a length with a decimal point": (POST + b"Content-Length: 5.0\r\n\r\nhello", 400),
    "a length in other digits": (POST + "Content-Length: \u0665\r\n\r\nhello".encode(), 400),
    "a length in HTTP/1.0 with coding": (
        POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "coding twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"0\r\n\r\n", 400),
    "coding and identity": (POST + b"Transfer-Encoding: chunked\r\n"
                            b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    "chunked in a list": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked not last": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "another coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "a quoted coding": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', 400),
    "an empty coding": (POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n", 400),
    "a coding behind a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
                                       400),
    "a coding with NUL": (POST + b"Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n", 400),
    "a coding on a folded line": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a coding behind a bare LF": (POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a coding behind a bare CR": (POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
}

CHUNKS = {
    "a prefix": (CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n", 400),
    "a sign": (CHUNKED + b"+1\r\nx\r\n0\r\n\r\n", 400),
    "a negative size": (CHUNKED + b"-1\r\nx\r\n0\r\n\r\n", 400),
    "no size": (CHUNKED + b"\r\nx\r\n0\r\n\r\n", 400),
    "a size of letters": (CHUNKED + b"xyz\r\n", 400),
    "a space behind the size": (CHUNKED + b"1 \r\nx\r\n0\r\n\r\n", 400),
    "a tab before an extension": (CHUNKED + b"1\t;a\r\nx\r\n0\r\n\r\n", 400),
    "LF alone behind the size": (CHUNKED + b"1\nx\r\n0\r\n\r\n", 400),
    "LF in an extension": (CHUNKED + b"1;a\nb\r\nx\r\n0\r\n\r\n", 400),
    "CR in an extension": (CHUNKED + b"1;a\rb\r\nx\r\n0\r\n\r\n", 400),
    "NUL in an extension": (CHUNKED + b'1;a="\x00"\r\nx\r\n0\r\n\r\n', 400),
    "data longer than its size": (CHUNKED + b"1\r\nxx\r\n0\r\n\r\n", 400),
    "no line end behind the data": (CHUNKED + b"1\r\nx0\r\n\r\n", 400),
    "a size past 64 bits": (CHUNKED + b"10000000000000000\r\nx", 400),
    "a size of 64 bits": (CHUNKED + b"ffffffffffffffff\r\nx", 413),
    "a size past the limit": (CHUNKED + b"500000\r\nx", 413),
    "a line without end": (CHUNKED + b"1;" + b"a" * 400, 400),
    "a folded trailer": (CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n", 400),
    "trailers without end": (CHUNKED + b"0\r\n" + b"A: b\r\n" * 2000, 431),
}

HEADS = {
    "LF alone": (b"GET /health HTTP/1.1\nHost: localhost\n\n", 400),
    "LF alone in one line": (GET + b"A: b\nC: d\r\n\r\n", 400),
    "a folded line": (GET + b"A: b\r\n c\r\n\r\n", 400),
    "a folded first line": (b"GET /health HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
    "a space before a colon": (GET + b"A : b\r\n\r\n", 400),
    "a line without a colon": (GET + b"A b\r\n\r\n", 400),
    "a line without a name": (GET + b": b\r\n\r\n", 400),
    "a name with a space": (GET + b"A b: c\r\n\r\n", 400),
    "a name with NUL": (GET + b"A\x00: b\r\n\r\n", 400),
    "a value with NUL": (GET + b"A: b\x00c\r\n\r\n", 400),
    "a value with a control byte": (GET + b"A: b\x01c\r\n\r\n", 400),
    "a value with delete": (GET + b"A: b\x7fc\r\n\r\n", 400),
    "a name of other letters": (GET + "\u00c4: b\r\n\r\n".encode(), 400),
    "a long line": (GET + b"A: " + b"x" * 40000 + b"\r\n\r\n", 431),
    "many lines": (GET + b"A: b\r\n" * 200 + b"\r\n", 431),
    "many long lines": (GET + (b"A: " + b"x" * 1000 + b"\r\n") * 40 + b"\r\n", 431),
    "a long target": (b"GET /" + b"x" * 40000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a long method": (b"X" * 200 + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    "a method with odd bytes": (b"G(T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "no method": (b" / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "two spaces": (b"GET  /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "tabs for spaces": (b"GET\t/health\tHTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a space in the target": (b"GET /he alth HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a space behind the version": (b"GET /health HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /health\r\n\r\n", 400),
    "HTTP/1.2": (b"GET /health HTTP/1.2\r\nHost: localhost\r\n\r\n", 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a version in small letters": (b"GET /health http/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a version with zeros": (b"GET /health HTTP/01.1\r\nHost: localhost\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    "nothing but zeros": (b"\x00" * 100, 400),
}

TARGETS = {
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "an empty host": (b"GET /health HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "two hosts": (GET + b"Host: localhost\r\n\r\n", 400),
    "a list of hosts": (b"GET /health HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n", 400),
    "a host with a user": (b"GET /health HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n", 400),
    "a host with a path": (b"GET /health HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400),
    "a host with a long port": (b"GET /health HTTP/1.1\r\nHost: localhost:999999\r\n\r\n", 403),
    "another host": (b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
    "the absolute form of another host": (
        b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "the absolute form and another Host": (
        b"GET http://localhost/health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
    "the absolute form with a user": (
        b"GET http://localhost@evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "the absolute form of another scheme": (
        b"GET ftp://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "the authority form": (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 400),
    "an asterisk": (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a path without a slash": (b"GET health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a fragment": (b"GET /health#x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "NUL": (b"GET /hea\x00lth HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "an escaped NUL": (b"GET /health%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "half an escape": (b"GET /health%4 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "an escape of letters": (b"GET /health%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "bytes above ASCII": ("GET /h\u00e9alth HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), 400),
    "another expectation": (POST + b"Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", 417),
}

REFUSED = {f"{table}: {name}": case
           for table, cases in (("framing", FRAMING), ("chunks", CHUNKS), ("heads", HEADS),
                                ("targets", TARGETS))
           for name, case in cases.items()}

# What looks odd and has one meaning: answered, and what follows is answered too.
UNDERSTOOD = {
    "the absolute form": b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a line end too many": b"\r\n" + GET + b"\r\n",
    "an upgrade that isn't had": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                                 b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "header names in any case": b"GET /health HTTP/1.1\r\nhOST: localhost\r\n\r\n",
    "spaces around a value": b"GET /health HTTP/1.1\r\nHost: \t localhost \t\r\n\r\n",
    "an escaped path": b"GET /h%65alth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a query": b"GET /health?a=%00&b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a body that nobody reads": GET + b"Content-Length: 5\r\n\r\nhello",
    "a short body for nobody": GET.replace(b"/health", b"/nothing") +
                               b"Content-Length: 3\r\n\r\nabc",
}
