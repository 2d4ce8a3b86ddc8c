// SPDX-License-Identifier: GPL-2.0

//! Indexes over all plugins, one for each question that a reader asks.

pub(crate) mod by_address;
pub(crate) mod by_name;
pub(crate) mod by_number;
mod segments;
