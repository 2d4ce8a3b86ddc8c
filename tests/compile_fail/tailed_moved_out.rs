// SPDX-License-Identifier: GPL-2.0

//! A value is moved away from its tail.
//!
//! error: E0277: `PhantomPinned` cannot be unpinned

include!("common.in");

fn writer() -> Result {
    let tailed = RcuBox::with_tail(7, &[1, 2, 3], StrTab::empty())?;
    let _boxed = Pin::into_inner(tailed);
    Ok(())
}
