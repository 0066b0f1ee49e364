"""Writes Parquet files of generated events, without a library: required columns, plain or of a dictionary.

Values come from blocks that are made once, so twenty million events take seconds. They are not compressed.
"""
import array
import random
import struct

ROWS_OF_PAGE = 1 << 17
PAGES_OF_GROUP = 8
ROWS_OF_GROUP = ROWS_OF_PAGE * PAGES_OF_GROUP
N_BLOCKS = 8

INT64, BYTE_ARRAY = 2, 6
UTF8, TIMESTAMP_MICROS = 0, 10
PLAIN, RLE, DICTIONARY = 0, 3, 8
# The logical type of timestamps in microseconds of UTC: a union of a struct with a flag and a union.
MICROS_OF_UTC = bytes.fromhex("8c111c2c00000000")


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def thrift(*fields):
    """A struct of Thrift's compact protocol: pairs of number and value. Structs are bytes, lists are lists."""
    out, last = bytearray(), 0
    for number, value in fields:
        if value is None:
            continue
        kind = {int: 6, str: 8, bytes: 12, list: 9}[type(value)]
        out.append((number - last) << 4 | kind)
        out += encoded(value)
        last = number
    return bytes(out) + b"\0"


def encoded(value):
    if isinstance(value, int):
        return varint(value << 1 if value >= 0 else ((-value) << 1) - 1)
    if isinstance(value, str):
        return varint(len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return value
    kind = {int: 5, str: 8, bytes: 12}[type(value[0])]
    head = bytes([len(value) << 4 | kind]) if len(value) < 15 else bytes([0xF0 | kind]) + varint(len(value))
    return head + b"".join(map(encoded, value))


class Times:
    """A timestamp that grows by a step."""

    kind, converted, words = INT64, TIMESTAMP_MICROS, None

    def __init__(self, start, step):
        self.start, self.step = start, step

    def page(self, first, n_rows):
        start = self.start + first * self.step
        return array.array("q", range(start, start + n_rows * self.step, self.step)).tobytes()


class Numbers:
    """An int that is chosen at random below a number."""

    kind, converted, words = INT64, None, None

    def __init__(self, below, seed):
        self.random = random.Random(seed)
        choose = self.random.choices
        self.blocks = [array.array("q", choose(range(below), k=ROWS_OF_PAGE)).tobytes() for _ in range(N_BLOCKS)]

    def page(self, _first, n_rows):
        return self.random.choice(self.blocks)[: 8 * n_rows]


class Counter(Times):
    """An int that grows by one."""

    converted = None

    def __init__(self):
        super().__init__(0, 1)


class Words:
    """One of at most 256 texts."""

    kind, converted = BYTE_ARRAY, UTF8

    def __init__(self, words, seed):
        self.words, self.random = words, random.Random(seed)
        of_byte = bytes(byte % len(words) for byte in range(256))
        self.blocks = [self.random.randbytes(ROWS_OF_PAGE).translate(of_byte) for _ in range(N_BLOCKS)]

    def page(self, _first, n_rows):
        """Numbers of eight bits: a run that is packed has a byte for each."""
        n_packed = -(-n_rows // 8)
        indices = self.random.choice(self.blocks)[:n_rows].ljust(8 * n_packed, b"\0")
        return b"\x08" + varint(n_packed << 1 | 1) + indices

    def dictionary(self):
        return b"".join(struct.pack("<I", len(word.encode())) + word.encode() for word in self.words)


def chunk(file, name, column, first, n_rows):
    """Writes a column of a row group; its description."""
    start, data, by_words = file.tell(), None, column.words is not None
    if by_words:
        body = column.dictionary()
        file.write(thrift((1, 2), (2, len(body)), (3, len(body)), (7, thrift((1, len(column.words)), (2, PLAIN)))))
        file.write(body)
    for page in range(0, n_rows, ROWS_OF_PAGE):
        n_here = min(ROWS_OF_PAGE, n_rows - page)
        body, data = column.page(first + page, n_here), data or file.tell()
        about = thrift((1, n_here), (2, DICTIONARY if by_words else PLAIN), (3, RLE), (4, RLE))
        file.write(thrift((1, 0), (2, len(body)), (3, len(body)), (5, about)))
        file.write(body)
    n_bytes = file.tell() - start
    encodings = [PLAIN, RLE, DICTIONARY] if by_words else [PLAIN, RLE]
    meta = thrift(
        (1, column.kind), (2, encodings), (3, [name]), (4, 0), (5, n_rows), (6, n_bytes), (7, n_bytes), (9, data),
        (11, start if by_words else None),
    )
    return thrift((2, start), (3, meta)), n_bytes


def write(path, columns, first, n_rows):
    """Writes the rows from `first` on to a file; columns by name."""
    groups = []
    with open(path, "wb") as file:
        file.write(b"PAR1")
        for start in range(0, n_rows, ROWS_OF_GROUP):
            n_here = min(ROWS_OF_GROUP, n_rows - start)
            chunks = [chunk(file, name, column, first + start, n_here) for name, column in columns.items()]
            size = sum(n_bytes for _, n_bytes in chunks)
            groups.append(thrift((1, [description for description, _ in chunks]), (2, size), (3, n_here)))
        schema = [thrift((4, "events"), (5, len(columns)))]
        for name, column in columns.items():
            logical = MICROS_OF_UTC if column.converted == TIMESTAMP_MICROS else None
            schema.append(thrift((1, column.kind), (3, 0), (4, name), (6, column.converted), (10, logical)))
        footer = thrift((1, 1), (2, schema), (3, n_rows), (4, groups), (6, "metricc benches"))
        file.write(footer + struct.pack("<I", len(footer)) + b"PAR1")


def write_files(folder, columns, n_rows, n_files):
    """Writes a log as files of about equal size; their paths."""
    paths = []
    for number in range(n_files):
        first, to = n_rows * number // n_files, n_rows * (number + 1) // n_files
        paths.append(f"{folder}/part-{number:03}.parquet")
        write(paths[-1], columns, first, to - first)
    return paths


START_US = 1_774_569_600_000_000
PAYMENTS = """
source events {
  at: timestamp time
  country: string  region: int  merchant: int  amount: int  status: string
}
"""


def payments(n_rows):
    """Columns of payments over thirty days, in the order of time, as those of `benches/src/events.rs`."""
    return {
        "at": Times(START_US, 30 * 86_400_000_000 // max(n_rows, 1)),
        "country": Words([f"C{number}" for number in range(20)], 1),
        "region": Numbers(1_000, 2),
        "merchant": Numbers(100_000, 3),
        "amount": Numbers(100_000, 4),
        "status": Words(["captured", "captured", "captured", "failed"], 5),
    }
