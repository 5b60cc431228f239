#include "auth/check/undumped_secret.h"

#include <cstring>
#include <sys/mman.h>
#include <utility>

#include <openssl/rand.h>

#include "proxy/base/secret.h"

namespace gatepost::auth {

Result<UndumpedSecret> UndumpedSecret::reserve(std::size_t size) {
    void* const pages =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);  // refuses size 0
    if (pages == MAP_FAILED) return fail("no memory for a key");
    UndumpedSecret secret;
    secret.octets_ = static_cast<char*>(pages);
    secret.size_ = size;
    if (::madvise(pages, size, MADV_DONTDUMP) != 0)
        return fail("the memory of a key cannot be kept out of core dumps (MADV_DONTDUMP)");
    ::mlock(pages, size);  // best effort: RLIMIT_MEMLOCK may be 0
    return secret;
}

Result<UndumpedSecret> UndumpedSecret::make(ByteView octets) {
    Result<UndumpedSecret> secret = reserve(octets.size());
    if (secret) std::memcpy(secret->octets_, octets.data(), octets.size());
    return secret;
}

Result<UndumpedSecret> UndumpedSecret::make_random(std::size_t size) {
    Result<UndumpedSecret> secret = reserve(size);
    if (secret &&
        RAND_bytes(reinterpret_cast<unsigned char*>(secret->octets_), static_cast<int>(secret->size_)) != 1) {
        return fail("no random numbers for a key");
    }
    return secret;
}

UndumpedSecret::~UndumpedSecret() {
    if (octets_ == nullptr) return;
    wipe(octets_, size_);
    ::munmap(octets_, size_);
}

void UndumpedSecret::swap(UndumpedSecret& other) noexcept {
    std::swap(octets_, other.octets_);
    std::swap(size_, other.size_);
}

}  // namespace gatepost::auth
