// SPDX-License-Identifier: GPL-2.0

//! The owner modules of plugins, whose states plugins follow.

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

/// Returns a plugin of `module` for which `which` is true.
fn owned_by(module: Module, which: impl Fn(&Plugin) -> bool) -> Option<Arc<Plugin>> {
    PLUGINS
        .iter(&PreemptGuard::new())
        .find(|p| p.owner() == Some(module) && which(p))
        .cloned()
}

/// Makes plugins follow the states of their owners.
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
                        "{}: owner unloaded with the plugin registered, removing it\n",
                        plugin.name()
                    );
                    remove_now(&plugin);
                }
            }
            ModuleState::Coming | ModuleState::Unformed => {}
        }
    }
}
