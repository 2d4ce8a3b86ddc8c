// SPDX-License-Identifier: GPL-2.0

//! A value is taken out of a batch before its readers are gone.
//!
//! error: E0423: cannot initialize a tuple struct which contains private fields

include!("common.in");

fn writer(cell: &BatchCell<u32, LOCK>) {
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    cell.mark(&mut held);
    drop(cell.take(&Emptied(1, PhantomData), &mut held));
}
