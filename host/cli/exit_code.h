/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit_code.h - how the program ends; docs/CLI.md and the man page have the
 * same list, and a test compares them.
 */
#ifndef KB_CLI_EXIT_CODE_H
#define KB_CLI_EXIT_CODE_H

/* XX(NAME, value, text) */
#define KB_EXIT_MAP(XX)                                                        \
    XX(OK, 0, "all that was asked for is done, and proven")                    \
    XX(FAILED, 1, "it failed, or it couldn't begin: the log says why")         \
    XX(USAGE, 2, "the command line is wrong")                                  \
    XX(INCOMPLETE, 3,                                                          \
       "it ran to its end, but something is missing, and is named: an open "   \
       "transaction, a partition without a leader")                            \
    XX(INVALID, 4,                                                             \
       "what was looked at isn't right: the archive is damaged, or a restore " \
       "would be refused")                                                     \
    XX(INTERRUPTED, 5,                                                         \
       "SIGINT or SIGTERM ended it cleanly: what is stored can be restored, "  \
       "and the same command goes on from there")

enum kb_exit {
#define XX(name, value, text) KB_EXIT_##name = value,
    KB_EXIT_MAP(XX)
#undef XX
};

#endif
