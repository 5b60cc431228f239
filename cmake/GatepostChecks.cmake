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

# What is generated from the tables of conf/ is checked in, so that it can be read where the code is; `check` says if it drifted.
function(gatepost_docs_target)
    add_custom_target(docs
        COMMAND ${CMAKE_SOURCE_DIR}/tests/tools/docs_drift ${CMAKE_BINARY_DIR} --write
        COMMAND ${CMAKE_SOURCE_DIR}/deploy/helm/generate
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
        VERBATIM COMMENT "writing the reference configuration, its schema, the generated pages of docs/ and what the chart has of them")
    foreach(generator generate_reference gatepost)
        if(TARGET ${generator})
            add_dependencies(docs ${generator})
        endif()
    endforeach()
endfunction()
if(GATEPOST_TESTS)
    cmake_language(DEFER CALL gatepost_docs_target)  # when the targets are known
endif()
