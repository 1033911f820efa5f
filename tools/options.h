/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of virtdevfs(8). */
#ifndef VDF_OPTIONS_H
#define VDF_OPTIONS_H

#include "session.h"

#define EXIT_USAGE 2

enum probe_format { NO_PROBE, PROBE_TEXT, PROBE_JSON };

struct options {
    bool foreground, empty, auto_unmount;
    enum probe_format probe;
    const char *run;
    char *source;     /* the source that mount(8) names; NULL: none */
    char *state;      /* absolute */
    char *mountpoint; /* absolute */
    bool made_mountpoint;
    enum vdf_engine_kind engine;
    struct vdf_fuse_options fuse;
    char *for_libfuse; /* the options that libfuse gets */
    bool shared, permissions, no_permissions;
};

/** options_parse() - Return: -1: continue; else the exit status. Mistakes were printed. */
int options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

/** complain() - print a line on standard error. Return: -1. */
__attribute__((format(printf, 1, 2))) int complain(const char *fmt, ...);

#endif
