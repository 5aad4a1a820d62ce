// SPDX-License-Identifier: Apache-2.0
// Debian's libfaiss for bench_nearest, as nearest_peer.py is for the wheel: built by nearest.sh where the library is.
// usage: nearest_faiss BANK QUERIES DIMENSIONS OUT
#include <faiss/IndexFlat.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static std::vector<float> read_floats(const char *path)
{
    std::vector<float> values;
    std::FILE *file = std::fopen(path, "rb");
    if (file == nullptr) {
        std::exit(77);
    }
    std::fseek(file, 0, SEEK_END);
    values.resize(static_cast<size_t>(std::ftell(file)) / sizeof(float));
    std::rewind(file);
    if (std::fread(values.data(), sizeof(float), values.size(), file) != values.size()) {
        std::exit(1);
    }
    std::fclose(file);
    return values;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        return 2;
    }
    const int dimensions = std::atoi(argv[3]);
    const std::vector<float> bank = read_floats(argv[1]);
    const std::vector<float> queries = read_floats(argv[2]);
    const int64_t count = static_cast<int64_t>(queries.size()) / dimensions;
    faiss::IndexFlatL2 index(dimensions);
    index.add(static_cast<int64_t>(bank.size()) / dimensions, bank.data());
    std::vector<float> distances(static_cast<size_t>(count));
    std::vector<int64_t> found(static_cast<size_t>(count));
    std::printf("ready libfaiss %d.%d.%d (generic)\n", FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR, FAISS_VERSION_PATCH);
    std::fflush(stdout);
    bool first = true;
    for (char line[16]; std::fgets(line, sizeof line, stdin) != nullptr;) {
        const auto began = std::chrono::steady_clock::now();
        index.search(count, queries.data(), 1, distances.data(), found.data());
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        if (first) {
            const std::vector<uint32_t> indices(found.begin(), found.end());
            std::FILE *file = std::fopen(argv[4], "wb");
            if (file == nullptr || std::fwrite(indices.data(), 4, indices.size(), file) != indices.size() ||
                std::fclose(file) != 0) {
                return 1;
            }
            first = false;
        }
        std::printf("%.9f\n", took.count());
        std::fflush(stdout);
    }
}
