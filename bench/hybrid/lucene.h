// bench/hybrid/lucene.h: Lucene 8 in this process: a Java virtual machine, called through JNI.
#pragma once

#include <jni.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace tidal::bench {

/// Threads: the one that made it. Ends the process where Java throws. One in a process.
class Lucene {
public:
    /// @param classes  Class path with LuceneInProcess. @param folder  Of documents.txt.
    Lucene(const std::string& classes, const std::string& folder) {
        std::string path = "-Djava.class.path=" + classes, heap = "-Xmx2g";
        JavaVMOption options[] = {{path.data(), nullptr}, {heap.data(), nullptr}};
        JavaVMInitArgs args{JNI_VERSION_10, 2, options, JNI_FALSE};
        JavaVM* machine = nullptr;
        if (JNI_CreateJavaVM(&machine, reinterpret_cast<void**>(&java_), &args) != JNI_OK)
            fail("no Java virtual machine");
        class_ = java_->FindClass("LuceneInProcess");
        check();
        best_ = java_->GetStaticMethodID(class_, "best", "(Ljava/lang/String;I)[I");
        check();
        const jmethodID open = java_->GetStaticMethodID(class_, "open", "(Ljava/lang/String;)V");
        check();
        java_->CallStaticVoidMethod(class_, open, java_->NewStringUTF(folder.c_str()));
        check();
    }

    /// Numbers of the documents that have any of the words, best first.
    std::vector<std::uint32_t> best(const std::string& words, std::size_t top) {
        const jstring text = java_->NewStringUTF(words.c_str());
        auto* const found = static_cast<jintArray>(
            java_->CallStaticObjectMethod(class_, best_, text, static_cast<jint>(top)));
        check();
        std::vector<std::uint32_t> out(static_cast<std::size_t>(java_->GetArrayLength(found)));
        java_->GetIntArrayRegion(found, 0, static_cast<jsize>(out.size()),
                                 reinterpret_cast<jint*>(out.data()));
        java_->DeleteLocalRef(found);
        java_->DeleteLocalRef(text);
        return out;
    }

private:
    [[noreturn]] static void fail(const char* what) {
        std::fprintf(stderr, "error: %s\n", what);
        std::exit(1);
    }
    void check() {
        if (java_->ExceptionCheck() == JNI_FALSE) return;
        java_->ExceptionDescribe();
        fail("Java has thrown");
    }

    JNIEnv* java_ = nullptr;
    jclass class_ = nullptr;
    jmethodID best_ = nullptr;
};

}  // namespace tidal::bench
