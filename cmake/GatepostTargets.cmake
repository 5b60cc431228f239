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
endfunction()

# gatepost_unit_test(NAME SOURCES … LINK …): one GoogleTest program per folder, run by ctest under the label `unit`.
function(gatepost_unit_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
endfunction()
