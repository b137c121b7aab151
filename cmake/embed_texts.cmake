# cmake -DOUT=FILE.c -DPREFIX=name_ -DTEXTS=a.yaml;b.yaml -P embed_texts.cmake
# Writes each text as a constant "PREFIX" + its name without ending, with a zero byte at its end.
set(code "/* Generated from texts by cmake/embed_texts.cmake. */\n")
foreach(text ${TEXTS})
  get_filename_component(name ${text} NAME_WE)
  file(READ ${text} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(0x0a,)" "\\1\n" bytes "${bytes}") # a line for each line
  string(APPEND code "extern const char ${PREFIX}${name}[];\nconst char ${PREFIX}${name}[] = {\n${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${code}")
