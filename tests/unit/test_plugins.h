// SPDX-License-Identifier: Apache-2.0
// test_plugins.h - where the plugins are that a test loads.
#ifndef KB_TESTS_TEST_PLUGINS_H
#define KB_TESTS_TEST_PLUGINS_H

#include <cstdlib>

// The build's own; KB_TEST_PLUGINS names others (tests/abi/grow.sh).
inline const char *TestPluginDir()
{
    const char *dir = std::getenv("KB_TEST_PLUGINS");

    return dir ? dir : KB_TEST_PLUGIN_DIR;
}

#endif
