"""A store that speaks as much of S3's protocol as reading takes: a folder, served with `sendfile`.

It costs little, so that what reads from it is measured and not the store. Run as a program it serves a folder
under a bucket, `store.py PORT FOLDER BUCKET LOG`, and writes what was asked for to a file.
"""
import email.utils
import http.server
import os
import socket
import sys
import urllib.parse

LISTED = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{bucket}</Name><Prefix>{prefix}</Prefix>
<KeyCount>{n}</KeyCount><MaxKeys>1000000</MaxKeys><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"""
CONTENT = """<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"{tag}"</ETag>
<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder, bucket, log = "", "", None

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, with_body):
        path, _, query = self.path.partition("?")
        key = urllib.parse.unquote(path).removeprefix(f"/{self.bucket}").lstrip("/")
        if not key:
            return self.list(dict(urllib.parse.parse_qsl(query)).get("prefix", ""))
        name = os.path.join(self.folder, key)
        if not os.path.isfile(name):
            return self.say(404, b"<Error><Code>NoSuchKey</Code></Error>")
        self.log.write(f"{self.command} {key} {self.headers.get('Range', '')}\n")
        self.log.flush()
        with open(name, "rb") as file:
            size, asked = os.path.getsize(name), self.headers.get("Range")
            first, last = 0, size - 1
            if asked:
                first, last = self.bounds(asked, size)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.send_header("Content-Length", str(last - first + 1))
            self.send_header("ETag", f'"{size}"')
            self.send_header("Last-Modified", email.utils.formatdate(os.path.getmtime(name), usegmt=True))
            self.end_headers()
            self.wfile.flush()
            while with_body and first <= last:
                first += os.sendfile(self.connection.fileno(), file.fileno(), first, last - first + 1)

    @staticmethod
    def bounds(asked, size):
        first, _, last = asked.removeprefix("bytes=").partition("-")
        if not first:
            return max(0, size - int(last)), size - 1
        return int(first), min(int(last or size - 1), size - 1)

    def list(self, prefix):
        found = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                key, size = os.path.relpath(path, self.folder), os.path.getsize(path)
                if key.startswith(prefix):
                    found.append(CONTENT.format(key=key, tag=size, size=size))
        contents = "".join(sorted(found))
        self.say(200, LISTED.format(bucket=self.bucket, prefix=prefix, n=len(found), contents=contents).encode())

    def say(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    # Connections that come at once must not wait for their second attempt.
    request_queue_size = 128


def main():
    port, Handler.folder, Handler.bucket = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    with open(sys.argv[4], "w", encoding="utf-8") as Handler.log:
        Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
