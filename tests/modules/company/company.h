/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the parts of modreg_company: main.c has the files, askers.c asks the kernel, plugins.c
 * makes plugins come and go, probes.c has what else can be on the hooked functions.
 */
#ifndef _COMPANY_H
#define _COMPANY_H

#include <linux/types.h>

/* askers.c */
int find_functions(void);
unsigned long find_function(const char *name);
int start_askers(unsigned long addr, const char *text);
int stop_askers(void);

/* plugins.c */
int add_plugin(void);
unsigned long plugin_address(void);
int remove_plugin(void);
int start_churn(void);
void stop_churn(void);
unsigned long churned(void);

/* probes.c */
int add_probe(char *line);
void remove_probe(void);
unsigned long probe_hits(void);
int add_delays(char *line);
void remove_delays(void);
int ask_nested(unsigned long addr);
void kill_ftrace(void);

#endif
