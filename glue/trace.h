/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints for the life of a plugin, in /sys/kernel/tracing/events/modreg.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM modreg

#if !defined(_MODREG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MODREG_TRACE_H

#include <linux/module.h>
#include <linux/tracepoint.h>

TRACE_EVENT(plugin_register,
	TP_PROTO(const char *name, unsigned int regions, unsigned int symbols),
	TP_ARGS(name, regions, symbols),
	TP_STRUCT__entry(
		__string(name, name)
		__field(unsigned int, regions)
		__field(unsigned int, symbols)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->regions = regions;
		__entry->symbols = symbols;
	),
	TP_printk("%s regions=%u symbols=%u", __get_str(name), __entry->regions,
		  __entry->symbols)
);

TRACE_EVENT(plugin_state,
	TP_PROTO(const char *name, enum module_state state),
	TP_ARGS(name, state),
	TP_STRUCT__entry(
		__string(name, name)
		__field(unsigned int, state)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->state = state;
	),
	TP_printk("%s %s", __get_str(name),
		  __print_symbolic(__entry->state,
				   { MODULE_STATE_COMING, "COMING" },
				   { MODULE_STATE_LIVE, "LIVE" },
				   { MODULE_STATE_GOING, "GOING" }))
);

TRACE_EVENT(plugin_unregister,
	TP_PROTO(const char *name),
	TP_ARGS(name),
	TP_STRUCT__entry(
		__string(name, name)
	),
	TP_fast_assign(
		__assign_str(name);
	),
	TP_printk("%s", __get_str(name))
);

#endif /* _MODREG_TRACE_H */

/* This part must be outside protection. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
