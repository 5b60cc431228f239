# How every target of Gatepost is built: the language, the warnings, the sanitizers, and who may include whom.
#
# gatepost_library(NAME folder/path SOURCES … MAY_INCLUDE … THIRD_PARTY …)
#
# MAY_INCLUDE makes the include table hold by build: each library offers an include folder that shows only its own sources
# (a link in the build tree), so that an include of a folder whose target is not linked is not found.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(GATEPOST_CCACHE ccache)
if(GATEPOST_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${GATEPOST_CCACHE})
    if(GATEPOST_PCH)
        # What ccache wants before it keeps anything that uses a precompiled header; none of our sources has __DATE__ or __TIME__.
        list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros)
    endif()
endif()

add_library(gatepost_flags INTERFACE)
target_compile_options(gatepost_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -fno-omit-frame-pointer -fstack-protector-strong)
if(GATEPOST_WERROR)
    target_compile_options(gatepost_flags INTERFACE -Werror)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        # libstdc++ 12's own stable_sort uses what it deprecates.
        target_compile_options(gatepost_flags INTERFACE -Wno-error=deprecated-declarations)
    endif()
endif()
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_definitions(gatepost_flags INTERFACE _FORTIFY_SOURCE=2)
    target_link_options(gatepost_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(GATEPOST_SANITIZE)
    target_compile_options(gatepost_flags INTERFACE -fsanitize=${GATEPOST_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(gatepost_flags INTERFACE -fsanitize=${GATEPOST_SANITIZE})
endif()
if(GATEPOST_FUZZ)
    target_compile_options(gatepost_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
    target_link_options(gatepost_flags INTERFACE -fsanitize=address,undefined)
endif()
link_libraries(gatepost_flags)

# Parsing the standard library (and GoogleTest) is most of the work of a build without optimisation, so presets do it once. `tidy`
# does not, which only configures: by clang-tidy a file that does not include what it uses is found.
function(gatepost_precompiled name)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled/${name}.cpp CONTENT "")
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled/${name}.cpp)
    target_precompile_headers(${name} PRIVATE ${ARGN})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")  # or ccache could not give it out again
    endif()
endfunction()
if(GATEPOST_PCH)
    target_compile_definitions(gatepost_flags INTERFACE _FILE_OFFSET_BITS=64)  # hiredis brings it, and all users need the same macros
    set(standard <algorithm> <array> <atomic> <charconv> <chrono> <deque> <expected> <functional> <map> <memory> <mutex> <optional>
                 <ostream> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>)
    gatepost_precompiled(precompiled ${standard})
endif()
if(GATEPOST_PCH AND GATEPOST_TESTS)
    find_package(GTest REQUIRED)
    gatepost_precompiled(precompiled_test ${standard} <filesystem> <fstream> <sstream> <thread> <gtest/gtest.h> <gmock/gmock.h>)
    target_link_libraries(precompiled_test PRIVATE GTest::gmock)
endif()

# An include folder in the build tree that shows one folder of the source tree and nothing else.
function(gatepost_include_window target folder)
    set(window ${CMAKE_BINARY_DIR}/include/${target})
    get_filename_component(parent ${window}/${folder} DIRECTORY)
    file(MAKE_DIRECTORY ${parent})
    if(NOT EXISTS ${window}/${folder})
        file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${window}/${folder} SYMBOLIC)
    endif()
    target_include_directories(${target} PUBLIC ${window})
endfunction()

function(gatepost_library target folder)
    cmake_parse_arguments(ARG "" "" "SOURCES;MAY_INCLUDE;THIRD_PARTY" ${ARGN})
    add_library(${target} STATIC ${ARG_SOURCES})
    gatepost_include_window(${target} ${folder})
    target_link_libraries(${target} PUBLIC ${ARG_MAY_INCLUDE} PRIVATE ${ARG_THIRD_PARTY})
    if(GATEPOST_PCH)
        target_precompile_headers(${target} REUSE_FROM precompiled)
    endif()
endfunction()

# gatepost_unit_test(NAME SOURCES … LINK …): one GoogleTest program per folder, run by ctest under the label `unit`.
function(gatepost_unit_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
    if(GATEPOST_PCH)
        target_precompile_headers(${name} REUSE_FROM precompiled_test)
    endif()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
