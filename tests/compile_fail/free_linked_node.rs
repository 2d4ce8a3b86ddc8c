// SPDX-License-Identifier: GPL-2.0

//! A node is freed while it is on the list.
//!
//! error: E0382: use of moved value: `node`

include!("common.in");

fn writer() -> Result {
    let node = Node::new(7)?;
    let mut lock = LOCK.lock();
    let _entry = LIST.add(node, &mut Held::new(&mut lock));
    drop(node);
    Ok(())
}
