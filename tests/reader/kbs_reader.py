#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a backup of storage format 2 from docs/STORAGE-FORMAT.md alone.

    kbs_reader.py DIRECTORY BACKUP_ID

DIRECTORY holds the store's objects as files.  Prints a JSON line for every record batch, in the order of topics, generations,
partitions and offsets, then one for every partition; fails if anything doesn't add up.  Only Python's library, and libzstd and liblz4 by ctypes.
"""
import base64, ctypes, json, os, struct, sys

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def need(true, what):
    if not true:
        sys.exit("damaged: " + what)


def unzstd(data, size):
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(size)
    got = lib.ZSTD_decompress(out, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
    need(got == size, "zstd")
    return out.raw


def unlz4(data, size):
    need(struct.unpack_from("<I", data)[0] == size, "lz4-block")
    out = ctypes.create_string_buffer(size)
    got = ctypes.CDLL("liblz4.so.1").LZ4_decompress_safe(data[4:], out, len(data) - 4, size)
    need(got == size, "lz4-block")
    return out.raw


def uuid(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def rows(table):
    return [r.split(",") for r in table.split(";")] if table else []


class Segment:
    def __init__(self, path, row):
        name, self.id, size, tail, crc, frames, records, _raw, _made, self.codec = row.split(",")
        self.name, self.data = name, open(path, "rb").read()
        d, (size, tail) = self.data, (int(size), int(tail))
        need(len(d) == size and crc32c(d[-tail:]) == int(crc), name + ": not the object that the manifest names")
        need(d[:5] == b"KBAK\x02" and crc32c(d[:60]) == struct.unpack_from("<I", d, 60)[0], name + ": header")
        need(uuid(d[8:24]) == self.id and d[32:56].rstrip(b"\0").decode() == self.codec, name + ": header")
        place, length, crc, count, seg_id, size2, _, crc2, magic = struct.unpack("<QQII16sQIIQ", d[-64:])
        need(struct.pack("<Q", magic) == b"KBAKEND2" and crc32c(d[-64:-12]) == crc2, name + ": trailer")
        index = d[place:place + length]
        need(crc32c(index) == crc and size2 == size and uuid(seg_id) == self.id, name + ": index")
        magic, topics, frames2, codec, codec_name = struct.unpack_from("<4sIIB3x24s", index)
        need(magic == b"KBIX" and count == frames2 == int(frames), name + ": index")
        at, self.topics, self.frames, expect = 40, {}, [], 64
        for _ in range(topics):
            length, = struct.unpack_from("<H", index, at + 16)
            self.topics[uuid(index[at:at + 16])] = index[at + 18:at + 18 + length].decode()
            at += 18 + length
        for _ in range(count):
            place, = struct.unpack_from("<Q", index, at)
            head = d[place:place + 128]
            need(place == expect and head[:104] == index[at + 8:at + 112], "%s: frame at %d" % (name, place))
            need(crc32c(head[:124]) == struct.unpack_from("<I", head, 124)[0], "%s: frame at %d" % (name, place))
            (fc, flags, gen, part, batches, start, end, recs, miss, mx, mn, large, raw, stored, crc) = \
                struct.unpack_from("<BB16siIqqQQqqIIII", head, 6)
            body = d[place + 128:place + 128 + stored]
            need(crc32c(body) == crc and fc in (0, codec), "%s: frame at %d" % (name, place))
            if fc:
                need(self.codec in ("zstd", "lz4-block"), "codec " + self.codec)
                body = (unzstd if self.codec == "zstd" else unlz4)(body, raw)
            need(len(body) == raw, "%s: frame at %d" % (name, place))
            self.frames.append((uuid(gen), part, start, end, (recs, miss, batches, large, mx), body))
            at, expect = at + 112, place + 128 + stored
        need(sum(f[4][0] for f in self.frames) == int(records), name + ": records")


def batches(body):
    at = 0
    while at < len(body):
        base, length, epoch, magic, crc, attrs, delta, _t0, tmax, pid, pepoch, seq, n = \
            struct.unpack_from(">qiibIhiqqqhii", body, at)
        end = at + 12 + length
        need(magic == 2 and end <= len(body) and crc32c(body[at + 21:end]) == crc, "batch at offset %d" % base)
        yield dict(base_offset=base, next_offset=base + delta + 1, records=n, bytes=end - at, crc32c=crc,
                   max_timestamp=tmax, leader_epoch=epoch, attributes=attrs, producer_id=pid, producer_epoch=pepoch, base_sequence=seq)
        at = end


def document(path):
    text = open(path, "rb").read()
    doc = json.loads(text)
    need(doc["format_version"] == 2, path)
    need("crc32c" not in doc or crc32c(text[:text.rindex(b',\n"crc32c":')]) == doc["crc32c"], path)
    return doc


def load(folder):
    listed = sorted(f[:-5] for f in os.listdir(folder + "/manifest")) if os.path.isdir(folder + "/manifest") else []
    docs, folded = [], {}
    if os.path.exists(folder + "/manifest.json"):
        docs.append(document(folder + "/manifest.json"))
        folded = {n[:23]: n for n in docs[0]["folded"]}
    newest = max((n[:19] for n in folded.values()), default="")
    listed = [n for n in listed if n[:19] >= newest and n > folded.get(n[:23], "")]
    entries = {n: document("%s/manifest/%s.json" % (folder, n)) for n in listed}
    for name in listed:
        later = [e["begins_after"] for n, e in entries.items() if "begins_after" in e and n[:19] > name[:19]]
        if any(not any(m[:23] == name[:23] and m >= name for m in marks) for marks in later):
            continue  # void: its writer had lost the lease
        seq = int(folded.get(name[:23], name[:24] + "00000000")[24:]) + 1
        need(int(name[24:]) == seq and entries[name]["entry"] == name, "an entry is missing before " + name)
        folded[name[:23]] = name
        docs.append(entries[name])
    return docs


def check_last(last, stored, what):
    """What a partition's last_batch says of the last batch that is stored; one of magic 0 or 1, or cut, was built anew."""
    magic, end, tmax, pid, pepoch, seq, records, attrs = (int(n) for n in last["kept"].split(","))
    need(magic in (0, 1, 2) and 0 <= last["base_offset"] <= end, what + ": its last batch")
    need(end >= stored["next_offset"] - 1 and (magic < 2 or end == stored["next_offset"] - 1), what + ": its last batch ends elsewhere")
    if magic == 2 and last["base_offset"] == stored["base_offset"]:
        header = [last["crc32c"], last["leader_epoch"], tmax, pid, pepoch, seq, records, attrs]
        need(header == [stored[k] for k in ("crc32c", "leader_epoch", "max_timestamp", "producer_id", "producer_epoch",
                                            "base_sequence", "records", "attributes")], what + ": its last batch is another one")


def main(root, backup_id):
    folder, topics, total = os.path.join(root, backup_id), {}, 0
    for doc in load(folder):
        segments = [Segment("%s/segments/%s.kbs" % (folder, row.split(",")[0]), row) for row in doc.get("segments", [])]
        for topic in doc.get("topics", []):
            key = (topic["name"], topic["generation"], topic["id"])
            for p in topic.get("partitions", []):
                extents, ranges, aborted, undecided, last = topics.setdefault(key, {}).setdefault(
                    p["partition"], ([], [], [], [], {}))
                if "last_batch" in p:
                    last.clear()
                    last.update(p["last_batch"])
                aborted += [[int(n) for n in r] for r in rows(p.get("aborted", ""))]
                if p["extents"]:
                    undecided[:] = [[int(n) for n in r] for r in rows(p.get("open", ""))]
                extents += [(segments[int(r[0])] if r[0] != "-" else None, r) for r in rows(p["extents"])]
                ranges += [(int(r[1]), int(r[2]), r[0]) for r in rows(p.get("ranges", ""))]
    for (name, generation, gid), partitions in sorted(topics.items()):
        for number, (extents, ranges, aborted, undecided, last) in sorted(partitions.items()):
            what, at = "%s/%d" % (name, number), int(extents[0][1][1])
            start, pieces, records, dropped, newest = at, [(s, e) for s, e, _kind in ranges], 0, 0, None
            for segment, (_, first, end, recs, miss, count, *_rest) in extents:
                need(int(first) == at, what + ": extents don't adjoin")
                at, sums = int(end), [0, 0, 0]
                for g, part, fstart, fend, facts, body in segment.frames if segment else []:
                    if (g, part) != (gid, number) or not (int(first) <= fstart and fend <= at):
                        continue
                    need(segment.topics[g] == name, what + ": its name in the index")
                    for b in batches(body):
                        missing = b["next_offset"] - b["base_offset"] - b["records"]
                        sums = [sums[0] + b["records"], sums[1] + missing, sums[2] + 1]
                        pieces.append((b["base_offset"], b["next_offset"]))
                        newest = b
                        b["aborted"] = bool(b["attributes"] & 16) and any(
                            pid == b["producer_id"] and s <= b["base_offset"] < e for pid, s, e in aborted)
                        dropped += b["records"] if b["aborted"] else 0
                        print(json.dumps(dict(topic=name, generation=generation, partition=number, **b)))
                need(sums == [int(recs), int(miss), int(count)], what + ": an extent's sums")
                records += sums[0]
            for a, b in zip([(0, start)] + sorted(pieces), sorted(pieces) + [(at, at)]):
                need(a[1] == b[0], "%s: offset %d isn't accounted for, or twice" % (what, a[1]))
            if last.get("kept"):
                need(newest is not None, what + ": a last batch, and none is stored")
                check_last(last, newest, what)
            for _pid, first, end in aborted:
                need(any(k == "m" and s <= end - 1 < e for s, e, k in ranges), "%s: no marker at %d" % (what, end - 1))
                need(all(not s <= first < e for s, e, _k in ranges), "%s: nothing stored at %d" % (what, first))
            total += records
            print(json.dumps(dict(topic=name, generation=generation, partition=number, start=start, end=at, total_records=records,
                                  aborted_records=dropped, open_transactions=len(undecided),
                                  ranges=[[k, s, e] for s, e, k in sorted(ranges)])))
    print(json.dumps(dict(records=total)))


if __name__ == "__main__":
    main(*sys.argv[1:])
