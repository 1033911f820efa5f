# SPDX-License-Identifier: GPL-2.0-or-later
# KVM's interface differs from processor to processor.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(FILTER sources EXCLUDE REGEX "/absent\\.c$")
else()
    list(FILTER sources INCLUDE REGEX "/(absent|probe)\\.c$")
endif()
