# Targets that hold and generate what the compiler does not: `check`, `format` and `docs` (CONTRIBUTING.md says what they hold).
# .ci/run does the same and more; these are for one's own desk.
find_program(GATEPOST_CLANG_FORMAT clang-format-19)

add_custom_target(check
    COMMAND ${CMAKE_SOURCE_DIR}/tests/tools/run_parts check
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    USES_TERMINAL VERBATIM)

if(GATEPOST_CLANG_FORMAT)
    add_custom_target(format
        COMMAND git ls-files -z --cached --others --exclude-standard "*.h" "*.cpp"
                | xargs -0 ${GATEPOST_CLANG_FORMAT} -i
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
        VERBATIM COMMENT "clang-format-19 over every .h and .cpp")
endif()
