// SPDX-License-Identifier: LGPL-2.1-or-later
// Closures behind a trait object, generic code of the standard library.
use std::hint::black_box;

extern "C" {
    fn clock() -> i64; // microseconds of CPU time
}

#[no_mangle]
#[inline(never)]
pub fn spin(mut n: u64) -> u64 {
    while unsafe { clock() } < 500_000 {
        for _ in 0..1_000_000 {
            n = black_box(n.wrapping_mul(1664525).wrapping_add(1013904223));
        }
    }
    n
}

#[no_mangle]
#[inline(never)]
pub fn inner(f: &dyn Fn(u64) -> u64) -> u64 {
    black_box(f(black_box(1))) + 1
}

#[no_mangle]
#[inline(never)]
pub fn outer() -> u64 {
    let offset = black_box(3);
    let mut values: Vec<Box<dyn Fn(u64) -> u64>> = vec![Box::new(move |n| spin(n + offset) + 1)];
    values.sort_by_key(|f| f as *const _ as usize);
    black_box(inner(&values[0])) + 1
}

fn main() {
    black_box(outer());
}
