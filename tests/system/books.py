# SPDX-License-Identifier: LGPL-2.1-or-later
"""The identities that hold at any time, checked against the kernel's own counters."""

from harness import ZERO, add, netns_inode


def total(rows, *path):
    """Adds up the tx and rx of rows, or of rows[path]."""
    result = dict(ZERO)
    for row in rows:
        for key in path:
            row = row[key]
        result = add(result, add(row["tx"], row["rx"]))
    return result


def check_roles(flows):
    """Per role and namespace: flows + untracked = counted."""
    groups = {(i["netns"], i["role"]) for i in flows["interfaces"]}
    for group in groups:
        def of(rows, group=group):
            return [r for r in rows if (r["netns"], r["role"]) == group]
        counted = total(of(flows["interfaces"]), "counted")
        booked = add(total(of(flows["flows"])), total(of(flows["untracked_by"])))
        assert booked == counted, f"{group}: flows + untracked is not what was counted"
    assert {(f["netns"], f["role"]) for f in flows["flows"]} <= groups


def interface(flows, ns, dev):
    found = [i for i in flows["interfaces"] if i["netns"] == netns_inode(ns) and i["name"] == dev]
    assert len(found) == 1, f"{ns} {dev}: {found}"
    return found[0]


def check_interface(flows, ns, dev, rx_wire=False, tx_wire=False, rx_omits=0, tx_omits=0):
    """counted + duplicate + before_attach = the interface's counters. wire: the counter has wire
    segments (receive merging behind it, or segmentation before it); omits: bytes of link header per
    packet that the counter leaves out (notes of what TC sees, doc/ARCHITECTURE.md)."""
    own = flows["own"][ns, dev]
    row = interface(flows, ns, dev)
    assert row["exact"], row
    for side, wire, omits in (("rx", rx_wire, rx_omits), ("tx", tx_wire, tx_omits)):
        seen = add(row["counted"][side], row["duplicate"][side])
        before = row["before_attach"][side]
        packets = seen["packets" if wire else "skbs"]
        bytes_ = seen["bytes_wire" if wire else "bytes"] - omits * packets
        assert packets + before["packets"] == own[side]["packets"], (side, row, own)
        assert bytes_ + before["bytes"] == own[side]["bytes"], (side, row, own)
