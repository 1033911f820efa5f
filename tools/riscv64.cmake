# SPDX-License-Identifier: GPL-2.0-or-later
#
# The toolchain of the preset riscv64, which compiles for riscv64 on another machine. It uses clang, GNU ld for
# riscv64 (Debian's package binutils-riscv64-linux-gnu), and the headers and libraries that
# tools/setup-guests puts into the user's cache.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)

execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/setup-guests --cached riscv64
    OUTPUT_VARIABLE guest OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT guest)
    message(FATAL_ERROR "no headers and libraries for riscv64: run tools/setup-guests riscv64")
endif()
set(CMAKE_SYSROOT ${guest}/sysroot)

find_program(riscv64_linker riscv64-linux-gnu-ld)
find_program(riscv64_compiler clang)
if(NOT riscv64_linker OR NOT riscv64_compiler)
    message(FATAL_ERROR "clang or riscv64-linux-gnu-ld is missing: install clang and binutils-riscv64-linux-gnu")
endif()
set(CMAKE_C_COMPILER ${riscv64_compiler})
set(CMAKE_C_COMPILER_TARGET riscv64-linux-gnu)
set(CMAKE_LIBRARY_ARCHITECTURE riscv64-linux-gnu)

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_PATH} "")
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/riscv64-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
