# A program out of the C++ blocks of a guide: their includes first, the rest in order as one function.
# awk -f guide_program.awk GUIDE.md > guide.cc; the program takes the folder that it works in.
/^```cpp$/ { inside = 1; next }
/^```$/ { inside = 0; next }
!inside { next }
/^#include/ { includes = includes $0 "\n"; next }
{ body = body "    " $0 "\n" }
END {
    print includes "\nnamespace {\n\ntidal::Result<void> guide() {\n" body "    return {};\n}\n\n}  // namespace\n"
    print "int main(int argc, char** argv) {"
    print "    if (argc != 2 || ::chdir(argv[1]) != 0) return 2;"
    print "    const auto done = guide();"
    print "    if (done.ok()) return 0;"
    print "    std::fprintf(stderr, \"%s\\n\", done.error().to_string().c_str());"
    print "    return 1;"
    print "}"
}
