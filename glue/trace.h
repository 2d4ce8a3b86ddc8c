/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints for the life of a plugin, in /sys/kernel/tracing/events/modreg.
 *
 * A tool can keep a map of all plugins by them: the regions and the symbols of a plugin come
 * first, plugin_register publishes them, and the generation tells two plugins of one name
 * apart. If symbols are replaced, the new ones come first, and plugin_replace puts them in the
 * place of the old ones. All but the regions and the symbols are traced under the registry's
 * lock, so their order is that of the changes.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM modreg

#if !defined(_MODREG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MODREG_TRACE_H

#include <linux/module.h>
#include <linux/tracepoint.h>

TRACE_EVENT(plugin_region,
	TP_PROTO(const char *name, u64 generation, unsigned long base, unsigned long size,
		 unsigned int flags),
	TP_ARGS(name, generation, base, size, flags),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(unsigned long, base)
		__field(unsigned long, size)
		__field(unsigned int, flags)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->generation = generation;
		__entry->base = base;
		__entry->size = size;
		__entry->flags = flags;
	),
	TP_printk("%s generation=%llu base=0x%lx size=0x%lx flags=0x%x", __get_str(name),
		  __entry->generation, __entry->base, __entry->size, __entry->flags)
);

TRACE_EVENT(plugin_symbol,
	TP_PROTO(const char *name, u64 generation, unsigned long value, unsigned long size,
		 u8 type, unsigned int flags, const char *symbol),
	TP_ARGS(name, generation, value, size, type, flags, symbol),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(unsigned long, value)
		__field(unsigned long, size)
		__field(u8, type)
		__field(unsigned int, flags)
		__string(symbol, symbol)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->generation = generation;
		__entry->value = value;
		__entry->size = size;
		__entry->type = type;
		__entry->flags = flags;
		__assign_str(symbol);
	),
	TP_printk("%s generation=%llu value=0x%lx size=0x%lx type=%c flags=0x%x symbol=%s",
		  __get_str(name), __entry->generation, __entry->value, __entry->size,
		  __entry->type, __entry->flags, __get_str(symbol))
);

TRACE_EVENT(plugin_register,
	TP_PROTO(const char *name, u64 generation, unsigned int regions, unsigned int symbols),
	TP_ARGS(name, generation, regions, symbols),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(unsigned int, regions)
		__field(unsigned int, symbols)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->generation = generation;
		__entry->regions = regions;
		__entry->symbols = symbols;
	),
	TP_printk("%s generation=%llu regions=%u symbols=%u", __get_str(name),
		  __entry->generation, __entry->regions, __entry->symbols)
);

TRACE_EVENT(plugin_replace,
	TP_PROTO(const char *name, u64 generation, unsigned int symbols),
	TP_ARGS(name, generation, symbols),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(unsigned int, symbols)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->generation = generation;
		__entry->symbols = symbols;
	),
	TP_printk("%s generation=%llu symbols=%u", __get_str(name), __entry->generation,
		  __entry->symbols)
);

TRACE_EVENT(plugin_state,
	TP_PROTO(const char *name, u64 generation, enum module_state state),
	TP_ARGS(name, generation, state),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(unsigned int, state)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->generation = generation;
		__entry->state = state;
	),
	TP_printk("%s generation=%llu %s", __get_str(name), __entry->generation,
		  __print_symbolic(__entry->state,
				   { MODULE_STATE_COMING, "COMING" },
				   { MODULE_STATE_LIVE, "LIVE" },
				   { MODULE_STATE_GOING, "GOING" }))
);

TRACE_EVENT(plugin_unregister,
	TP_PROTO(const char *name, u64 generation),
	TP_ARGS(name, generation),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->generation = generation;
	),
	TP_printk("%s generation=%llu", __get_str(name), __entry->generation)
);

#endif /* _MODREG_TRACE_H */

/* This part must be outside protection. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
