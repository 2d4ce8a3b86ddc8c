// SPDX-License-Identifier: GPL-2.0

//! Following the owners of plugins through their lives.

use super::{
    register::{
        go_live,
        say_live, //
    },
    unregister::remove_now, //
};
use crate::{
    modreg::{
        lock::LOCK,
        plugin::{
            list::PLUGINS,
            Plugin, //
        },
    },
    primitives::{
        module::{
            Module,
            ModuleState, //
        },
        notifier::ModuleNotify,
        preempt::PreemptGuard, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A plugin of `module` that `which` is true of.
fn owned_by(module: Module, which: impl Fn(&Plugin) -> bool) -> Option<Arc<Plugin>> {
    PLUGINS
        .iter(&PreemptGuard::new())
        .find(|p| p.owner() == Some(module) && which(p))
        .cloned()
}

/// Follows the owners of plugins through their lives.
pub(crate) struct Owners;

impl ModuleNotify for Owners {
    fn module_state(module: Module, state: ModuleState) {
        match state {
            ModuleState::Live => {
                while let Some(plugin) = owned_by(module, Plugin::awaits_owner) {
                    let mut lock = LOCK.lock();
                    let (live, full) = go_live(&plugin, &mut lock);
                    drop(lock);
                    if live {
                        say_live(&plugin);
                    }
                    drop(full);
                }
            }
            ModuleState::Going => {
                while let Some(plugin) = owned_by(module, |_| true) {
                    pr_warn!(
                        "{}: its owner goes without unregistering it\n",
                        plugin.name()
                    );
                    remove_now(&plugin);
                }
            }
            ModuleState::Coming | ModuleState::Unformed => {}
        }
    }
}
