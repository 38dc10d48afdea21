"""How the bytes of one tensor decode, written from Formats/StorageTypes.md ("Types") and the directory's grids in Formats/QuernFile.md ("File").

Part of reference_reader.py, which says more.
"""
import numpy as np


def align(number, to):  # File 1
    return (number + to - 1) // to * to


class StorageType:
    """One row of the tables Types 1 and 2.2."""

    def __init__(self, number, name, block, header_bytes, code_bytes, grids, planes=()):
        self.number, self.name, self.block, self.grids = number, name, block, grids
        self.header_bytes, self.code_bytes, self.planes = header_bytes, code_bytes, planes
        self.largest_grid_byte = 255 if name == "q6" else 127  # File 5
        self.superblock_bytes = header_bytes + code_bytes
        self.quantized = block is not None

    def padded_columns(self, columns):  # Types 2
        return align(columns, 128) if self.quantized else columns

    def window_bytes(self, columns):  # Types 2.2: padded to a multiple of 64; none where there is one window
        return 0 if self.padded_columns(columns) <= 256 else align(-(-self.padded_columns(columns) // 256) * 16, 64)

    def panel_bytes(self, columns):
        padded = self.padded_columns(columns)
        if self.name == "f32":  # Types 2.1
            return 64 * padded
        if self.name == "f16":
            return 32 * padded
        return 16 * 4 + self.window_bytes(columns) + padded // 128 * self.superblock_bytes  # Types 2.2

    def tensor_bytes(self, rows, columns):  # Types 2
        return -(-rows // 16) * self.panel_bytes(columns)


TYPES = {t.number: t for t in [
    StorageType(1, "f32", None, 0, 0, None),
    StorageType(2, "f16", None, 0, 0, None),
    StorageType(3, "q8", 32, 64, 2048, None),
    StorageType(4, "q4", 16, 128, 1024, (4, 16)),
    StorageType(5, "q4s", 32, 64, 1024, (4, 16)),
    StorageType(6, "q6", 32, 64, 1536, (1, 64), planes=(4, 2)),
    StorageType(7, "q5", 32, 64, 1280, (2, 32), planes=(4, 1)),
    StorageType(8, "q3", 32, 64, 768, (8, 8), planes=(2, 1)),
]}
TYPES_BY_NAME = {t.name: t for t in TYPES.values()}


def row_scales(kind, panels):
    """The f32 row scales [panels, 16] of quantized panels (Types 2.2)."""
    return np.ascontiguousarray(panels[:, :64]).view("<f4")


def plane_codes(kind, units):
    """Units of 32 columns, u8 [panel, unit, bytes], to codes [panel, row, unit, column of the unit] (Types 2.2)."""
    count, number = units.shape[:2]
    codes, start, shift = 0, 0, 0
    for bits in kind.planes:
        lines, per_line = bits, 8 // bits  # a line of 64 bytes holds this many groups
        plane = units[:, :, start:start + 64 * lines].reshape(count, number, lines, 16, 4)
        parts = [(plane >> (bits * n)) & ((1 << bits) - 1) for n in range(per_line)]
        groups = np.stack(parts, axis=3)  # [panel, unit, line, group in the line, row, i]
        codes = codes + (groups.transpose(0, 4, 1, 2, 3, 5).reshape(count, 16, number, 32).astype(np.int32) << shift)
        start, shift = start + 64 * lines, shift + bits
    return codes


def decode_panels(kind, panels, columns, grids):
    """panels: u8 [count, panel bytes] -> float32 [count * 16, columns]; the columns' padding is cut, the rows' is not."""
    count = panels.shape[0]
    if not kind.quantized:  # Types 2.1: for each column 16 values, one per row
        element = "<f4" if kind.name == "f32" else "<f2"
        values = np.ascontiguousarray(panels).view(element).reshape(count, columns, 16)
        return values.transpose(0, 2, 1).astype(np.float32).reshape(count * 16, columns)

    # Types 2.2: row_scale | window_factor | superblocks
    padded = kind.padded_columns(columns)
    windows, superblocks = -(-padded // 256), padded // 128
    scales = row_scales(kind, panels)
    start = 64
    if windows == 1:
        window_bytes = np.full((count, 1, 16), 255, np.uint8)  # 0.9375
    else:
        window_bytes = panels[:, start:start + windows * 16].reshape(count, windows, 16)
    start += kind.window_bytes(columns)
    body = panels[:, start:].reshape(count, superblocks, kind.superblock_bytes)
    blocks = 128 // kind.block
    headers = body[:, :, :kind.header_bytes].reshape(count, superblocks, blocks, 16)
    codes = body[:, :, kind.header_bytes:]

    # to [panel, row, column]
    headers = headers.transpose(0, 3, 1, 2).reshape(count, 16, padded // kind.block).repeat(kind.block, axis=2)
    if kind.name == "q8":
        # 32 lines of 64 bytes; line j, byte 4r + i: column 4j + i, plus 128
        lines = codes.reshape(count, superblocks, 32, 16, 4)
        codes = lines.transpose(0, 3, 1, 2, 4).reshape(count, 16, padded)
        integers = headers.astype(np.int32) * (codes.astype(np.int32) - 128)
    elif kind.planes:
        codes = plane_codes(kind, codes.reshape(count, superblocks * 4, -1)).reshape(count, 16, padded)
        table = grids.reshape(kind.grids).astype(np.int32)
        if kind.name == "q6":
            integers = headers.astype(np.int32) * (table[0, codes] - 128)
        elif kind.name == "q5":
            integers = ((headers & 127).astype(np.int32) - 64) * (table[headers >> 7, codes] - 64)
        else:
            integers = ((headers & 31).astype(np.int32) - 16) * (table[headers >> 5, codes] - 64)
    else:
        # 16 lines of 64 bytes; line j, byte 4r + i: low nibble column 8j + i, high nibble column 8j + 4 + i
        lines = codes.reshape(count, superblocks, 16, 16, 4)
        nibbles = np.stack([lines & 15, lines >> 4], axis=4)  # [panel, superblock, line, row, low / high, i]
        codes = nibbles.transpose(0, 3, 1, 2, 4, 5).reshape(count, 16, padded)
        signed = (headers & 63).astype(np.int32) - 32
        integers = signed * (grids.reshape(4, 16)[headers >> 6, codes].astype(np.int32) - 64)

    factors = ((window_bytes.astype(np.uint32) << 20) + np.uint32(0x2F800000)).view(np.float32)
    factors = factors.transpose(0, 2, 1).repeat(256, axis=2)[:, :, :padded]
    with np.errstate(over="ignore", invalid="ignore"):
        scale = scales.astype(np.float32)[:, :, None] * factors  # rounded to f32
        values = scale * integers.astype(np.float32)  # rounded to f32
    return values.reshape(count * 16, padded)[:, :columns]


def decode_rows(kind, data, rows, columns, grids):
    """Yields float32 [some rows, columns], in row order, a few panels at a time so that memory stays small."""
    size = kind.panel_bytes(columns)
    panels = np.frombuffer(data, np.uint8).reshape(-1, size)
    step = max(1, (4 << 20) // (16 * kind.padded_columns(columns)))
    for first in range(0, panels.shape[0], step):
        part = decode_panels(kind, panels[first:first + step], columns, grids)
        yield part[:max(0, rows - first * 16)]  # Types 2: padding rows are ignored


def nonfinite(kind, data, columns):
    """Types 3: a line on the first row scale or value that is not finite, or None."""
    panels = np.frombuffer(data, np.uint8).reshape(-1, kind.panel_bytes(columns))
    for index, panel in enumerate(panels):
        if kind.quantized:
            values, what = panel[:64].view("<f4"), "row scale"
        else:
            values, what = panel.view("<f4" if kind.name == "f32" else "<f2"), "value"
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            place = f"row {index * 16 + bad[0] % 16}"
            if not kind.quantized:
                place += f", column {bad[0] // 16}"
            return f"{what} of {place} is {values[bad[0]]}"
    return None
