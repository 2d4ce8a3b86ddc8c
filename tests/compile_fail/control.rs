// SPDX-License-Identifier: GPL-2.0

//! Correct use of everything that the other programs misuse.
//!
//! error: none

include!("common.in");

fn control() -> Result {
    let node = Node::new(7)?;
    let mut lock = LOCK.lock();
    let mut held = Held::new(&mut lock);
    let entry = LIST.add(node, &mut held);
    drop(CELL.replace(Some(RcuBox::new(7)?), &mut held));
    {
        let guard = PreemptGuard::new();
        let (first, value) = (LIST.iter(&guard).next(), CELL.load(&guard));
        pr_info!("{:?} {:?}\n", first, value);
    }
    let mut entry = Some(entry);
    drop(stop_machine(|_stopped| {
        entry.take().map(|entry| entry.remove(&mut held))
    })?);
    BATCH_CELL.mark(&mut held);
    let (emptied, (), _stopped) = empty_batch(&mut held, |_held| ())?;
    drop(BATCH_CELL.take(&emptied, &mut held));
    Ok(())
}
