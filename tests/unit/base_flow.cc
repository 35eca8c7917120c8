// SPDX-License-Identifier: Apache-2.0
// base_flow.cc - budget, blocks, queues, rates and stops, over threads.
#include <gtest/gtest.h>

#include <poll.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

extern "C" {
#include "base/block.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/rate.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/thread.h"
}

namespace
{

class BaseFlow : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(KBP_OK, kb_stop_init(&stop, &err));
    }
    void TearDown() override
    {
        kb_stop_release(&stop);
    }

    kbp_error err = KB_ERR_INIT;
    kb_stop stop{};
};

TEST_F(BaseFlow, StopWakesSleepersAndPolls)
{
    int64_t begin = kb_now_ms();
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        kb_stop_request(&stop);
    });

    EXPECT_FALSE(kb_stop_requested(&stop));
    EXPECT_TRUE(kb_stop_sleep(&stop, 60000));
    EXPECT_LT(kb_now_ms() - begin, 10000);
    other.join();
    pollfd pfd = {stop.fd, POLLIN, 0};
    EXPECT_EQ(1, poll(&pfd, 1, 0));
    EXPECT_TRUE(kb_stop_sleep(&stop, 60000));
    for (int i = 0; i < 10; i++)
        kb_stop_request(&stop);
    EXPECT_EQ(KBP_ERR_CANCELLED, kb_fail_stopped(&err));
}

TEST_F(BaseFlow, SleepEndsInTime)
{
    int64_t begin = kb_now_ms();

    EXPECT_FALSE(kb_stop_sleep(&stop, 30));
    EXPECT_GE(kb_now_ms() - begin, 29);
}

TEST_F(BaseFlow, BudgetWaitsUntilThereIsRoom)
{
    kb_budget budget;

    kb_budget_init(&budget, 100, &stop);
    ASSERT_EQ(KBP_OK, kb_budget_take(&budget, 60, &err));
    EXPECT_TRUE(kb_budget_try(&budget, 40));
    EXPECT_FALSE(kb_budget_try(&budget, 1));
    EXPECT_EQ(0u, kb_budget_free(&budget));
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        kb_budget_give(&budget, 60);
    });
    ASSERT_EQ(KBP_OK, kb_budget_take(&budget, 50, &err));
    other.join();
    EXPECT_EQ(90u, budget.used);
    EXPECT_EQ(100u, budget.peak);
    kb_budget_release(&budget);
}

TEST_F(BaseFlow, MoreThanTheBudgetPassesAlone)
{
    kb_budget budget;

    kb_budget_init(&budget, 100, &stop);
    EXPECT_TRUE(kb_budget_try(&budget, 1000));
    EXPECT_FALSE(kb_budget_try(&budget, 1));
    EXPECT_FALSE(kb_budget_try(&budget, 0)) << "it is over its limit";
    kb_budget_give(&budget, 1000);
    EXPECT_TRUE(kb_budget_try(&budget, 1));
    EXPECT_FALSE(kb_budget_try(&budget, 1000)) << "only when nothing is taken";
    kb_budget_force(&budget, 500);
    EXPECT_EQ(501u, budget.used);
    EXPECT_EQ(0u, kb_budget_free(&budget));
    kb_budget_release(&budget);
}

TEST_F(BaseFlow, WhoWantsMuchIsNotPassedByThoseWhoWantLittle)
{
    kb_budget budget;
    int passed = 0;

    kb_budget_init(&budget, 100, &stop);
    ASSERT_TRUE(kb_budget_try(&budget, 30));
    std::thread large([&] {
        kbp_error mine = KB_ERR_INIT;

        EXPECT_EQ(KBP_OK, kb_budget_take(&budget, 90, &mine));
        kb_budget_give(&budget, 90);
    });
    // There is always room for one more of 30, and never for one of 90, as
    // long as the next comes before the last one goes.
    while (passed < 2000 && kb_budget_try(&budget, 30)) {
        kb_budget_give(&budget, 30);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        passed++;
    }
    EXPECT_LT(passed, 2000) << "the large one starved";
    kb_budget_give(&budget, 30);
    large.join();
    EXPECT_EQ(0u, budget.used);
    kb_budget_release(&budget);
}

TEST_F(BaseFlow, ClaimsAreServedInTheirOrder)
{
    kb_budget budget;
    kb_budget_claim first = {};
    kb_budget_claim second = {};
    kb_budget_claim third = {};

    kb_budget_init(&budget, 100, &stop);
    ASSERT_TRUE(kb_budget_try(&budget, 60));
    EXPECT_FALSE(kb_budget_ask(&budget, &first, 90));
    EXPECT_FALSE(kb_budget_ask(&budget, &second, 10)) << "it would fit";
    EXPECT_FALSE(kb_budget_try(&budget, 1));
    kb_budget_give(&budget, 60);
    EXPECT_EQ(100u, budget.used) << "kept for both";
    EXPECT_TRUE(kb_budget_ask(&budget, &second, 10));
    EXPECT_TRUE(kb_budget_ask(&budget, &first, 90));
    EXPECT_FALSE(kb_budget_ask(&budget, &first, 50));
    EXPECT_FALSE(kb_budget_ask(&budget, &second, 1000)) << "more than all";
    EXPECT_FALSE(kb_budget_ask(&budget, &third, 5));
    kb_budget_give(&budget, 90);
    EXPECT_TRUE(kb_budget_ask(&budget, &first, 50));
    EXPECT_FALSE(kb_budget_ask(&budget, &third, 5)) << "behind the large one";
    kb_budget_withdraw(&budget, &second); // in front of another
    EXPECT_TRUE(kb_budget_ask(&budget, &third, 5));
    EXPECT_EQ(65u, budget.used);
    EXPECT_FALSE(kb_budget_ask(&budget, &second, 1000));
    kb_budget_withdraw(&budget, &second); // the last one
    EXPECT_FALSE(kb_budget_ask(&budget, &first, 40));
    kb_budget_give(&budget, 65);
    EXPECT_EQ(40u, budget.used);
    kb_budget_withdraw(&budget, &first); // what was kept for it
    kb_budget_withdraw(&budget, &first);
    EXPECT_EQ(0u, budget.used);
    EXPECT_TRUE(kb_budget_ask(&budget, &second, 1000)) << "alone";
    kb_budget_release(&budget);
}

TEST_F(BaseFlow, AStopEndsTheWaitForMemory)
{
    kb_budget budget;

    kb_budget_init(&budget, 100, &stop);
    EXPECT_TRUE(kb_budget_try(&budget, 100));
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        kb_stop_request(&stop);
    });
    EXPECT_EQ(KBP_ERR_CANCELLED, kb_budget_take(&budget, 1, &err));
    other.join();
    EXPECT_EQ(100u, budget.used);
    kb_budget_release(&budget);
}

TEST_F(BaseFlow, NeverMoreThanTheBudgetIsTakenByManyThreads)
{
    kb_budget budget;
    std::atomic<size_t> used{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;

    kb_budget_init(&budget, 1000, &stop);
    for (int t = 0; t < 8; t++)
        threads.emplace_back([&, t] {
            kbp_error mine = KB_ERR_INIT;

            for (int i = 0; i < 500; i++) {
                size_t len = 1 + static_cast<size_t>((i * 37 + t * 101) % 400);

                ASSERT_EQ(KBP_OK, kb_budget_take(&budget, len, &mine));
                if (used.fetch_add(len) + len > 1000)
                    over = true;
                used.fetch_sub(len);
                kb_budget_give(&budget, len);
            }
        });
    for (auto &thread : threads)
        thread.join();
    EXPECT_FALSE(over);
    EXPECT_EQ(0u, budget.used);
    EXPECT_LE(budget.peak, 1000u);
    kb_budget_release(&budget);
}

TEST_F(BaseFlow, ABlockGivesItsChargeBackWithTheLastReference)
{
    kb_budget budget;

    kb_budget_init(&budget, 1 << 20, &stop);
    ASSERT_TRUE(kb_budget_try(&budget, 300000));
    kb_block *block = kb_block_new(&budget, 300000, 300000);
    ASSERT_NE(nullptr, block);
    ASSERT_GE(block->cap, 300000u);
    memset(block->data, 'x', block->cap);
    kb_slice slice = kb_slice_of(block, block->data + 10, 20);
    kb_block_shrink_charge(block, 100000);
    EXPECT_EQ(100000u, budget.used);
    kb_block_shrink_charge(block, 200000);
    EXPECT_EQ(100000u, budget.used) << "it never grows";
    kb_block_unref(block);
    EXPECT_EQ(100000u, budget.used);
    EXPECT_EQ('x', slice.data[19]);
    kb_slice_release(&slice);
    EXPECT_EQ(0u, budget.used);
    kb_slice_release(&slice);
    kb_block_unref(nullptr);
    kb_block_trim();
    kb_budget_release(&budget);
}

TEST(Block, OneOfTheOtherIsReusedOnlyForItsLike)
{
    kb_block *large = kb_block_new(nullptr, 0, 16 << 20);

    kb_block_trim();
    kb_block_unref(large);
    /* Else three MiB that a budget knows of would hold sixteen. */
    kb_block *small = kb_block_new(nullptr, 0, 3 << 20);
    EXPECT_LE(small->cap, (size_t)4 << 20);
    kb_block *like = kb_block_new(nullptr, 0, 15 << 20);
    EXPECT_EQ((size_t)16 << 20, like->cap);
    kb_block_unref(small);
    kb_block_unref(like);
    kb_block_trim();
}

TEST_F(BaseFlow, BlocksOfAllSizesDontOverlap)
{
    std::vector<kb_block *> blocks;

    for (int round = 0; round < 3; round++) {
        for (size_t cap : {size_t(0), size_t(1), size_t(1000), size_t(131071),
                           size_t(131072), size_t(1 << 20), size_t(5000000)}) {
            kb_block *block = kb_block_new(nullptr, 0, cap);

            ASSERT_NE(nullptr, block);
            memset(block->data, static_cast<int>(blocks.size()), cap);
            block->len = cap;
            blocks.push_back(block);
        }
        for (size_t i = 0; i < blocks.size(); i++)
            for (size_t at = 0; at < blocks[i]->len; at += 4099)
                ASSERT_EQ(static_cast<uint8_t>(i), blocks[i]->data[at]);
        if (round == 1) {
            for (kb_block *block : blocks)
                kb_block_unref(block);
            blocks.clear();
        }
    }
    for (kb_block *block : blocks)
        kb_block_unref(block);
    kb_block_trim();
    EXPECT_EQ(nullptr, kb_block_new(nullptr, 0, SIZE_MAX));
}

TEST_F(BaseFlow, AQueueIsFirstInFirstOut)
{
    kb_queue queue;
    int items[5];

    ASSERT_EQ(KBP_OK, kb_queue_init(&queue, 3, &err));
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 3; i++)
            EXPECT_TRUE(kb_queue_push(&queue, &items[i]));
        EXPECT_EQ(3u, kb_queue_count(&queue));
        EXPECT_EQ(&items[0], kb_queue_pop(&queue));
        EXPECT_TRUE(kb_queue_push(&queue, &items[3]));
        EXPECT_EQ(&items[1], kb_queue_pop(&queue));
        EXPECT_EQ(&items[2], kb_queue_pop(&queue));
        EXPECT_EQ(&items[3], kb_queue_pop(&queue));
    }
    int64_t begin = kb_now_ms();
    EXPECT_EQ(nullptr, kb_queue_pop_for(&queue, 30));
    EXPECT_GE(kb_now_ms() - begin, 29);
    kb_queue_release(&queue);
}

TEST_F(BaseFlow, AClosedQueueGivesWhatItHasAndTakesNoMore)
{
    kb_queue queue;
    int item;

    ASSERT_EQ(KBP_OK, kb_queue_init(&queue, 1, &err));
    EXPECT_TRUE(kb_queue_push(&queue, &item));
    std::thread pusher([&] {
        EXPECT_FALSE(kb_queue_push(&queue, &item)) << "woken by the close";
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    kb_queue_close(&queue);
    pusher.join();
    EXPECT_EQ(&item, kb_queue_pop(&queue));
    EXPECT_EQ(nullptr, kb_queue_pop(&queue));
    EXPECT_EQ(nullptr, kb_queue_pop_for(&queue, 60000));
    kb_queue_release(&queue);
    ASSERT_EQ(KBP_OK, kb_queue_init(&queue, 1, &err));
    std::thread popper([&] { EXPECT_EQ(nullptr, kb_queue_pop(&queue)); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    kb_queue_close(&queue);
    popper.join();
    kb_queue_release(&queue);
}

TEST_F(BaseFlow, NothingIsLostBetweenManyThreads)
{
    const uintptr_t each = 5000;
    kb_queue queue;
    std::atomic<uintptr_t> sum{0};
    std::vector<std::thread> pushers;
    std::vector<std::thread> poppers;

    ASSERT_EQ(KBP_OK, kb_queue_init(&queue, 7, &err));
    for (int t = 0; t < 4; t++) {
        pushers.emplace_back([&] {
            for (uintptr_t i = 1; i <= each; i++)
                EXPECT_TRUE(kb_queue_push(&queue, reinterpret_cast<void *>(i)));
        });
        poppers.emplace_back([&] {
            while (void *item = kb_queue_pop(&queue))
                sum += reinterpret_cast<uintptr_t>(item);
        });
    }
    for (auto &thread : pushers)
        thread.join();
    kb_queue_close(&queue);
    for (auto &thread : poppers)
        thread.join();
    EXPECT_EQ(4 * each * (each + 1) / 2, sum);
    kb_queue_release(&queue);
}

TEST_F(BaseFlow, ARateHoldsForAllThreadsTogether)
{
    kb_rate rate;
    std::vector<std::thread> threads;
    int64_t begin = kb_now_ms();

    // A second's worth may pass at once, so 2000 take one second more or less.
    kb_rate_init(&rate, 1000);
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&] {
            for (int i = 0; i < 50; i++)
                EXPECT_FALSE(kb_rate_spend(&rate, 10, &stop));
        });
    for (auto &thread : threads)
        thread.join();
    int64_t took = kb_now_ms() - begin;
    EXPECT_GE(took, 900);
    EXPECT_LT(took, 5000);
    kb_rate_release(&rate);
}

TEST_F(BaseFlow, NoRateIsNoWaitAndAStopEndsIt)
{
    kb_rate rate;
    int64_t begin = kb_now_ms();

    kb_rate_init(&rate, 0);
    EXPECT_FALSE(kb_rate_spend(&rate, UINT64_MAX, &stop));
    kb_rate_release(&rate);
    kb_rate_init(&rate, 1);
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        kb_stop_request(&stop);
    });
    EXPECT_TRUE(kb_rate_spend(&rate, UINT64_MAX, &stop));
    EXPECT_LT(kb_now_ms() - begin, 10000);
    other.join();
    kb_rate_release(&rate);
}

TEST_F(BaseFlow, SecretsAreCopiedAndLetGo)
{
    kb_secret secret{};
    char text[] = "hunter2";

    ASSERT_EQ(KBP_OK, kb_secret_set(&secret, text, 7, &err));
    text[0] = 'X';
    EXPECT_STREQ("hunter2", secret.text);
    EXPECT_EQ(7u, secret.len);
    ASSERT_EQ(KBP_OK, kb_secret_set(&secret, "other", 5, &err));
    EXPECT_STREQ("other", secret.text);
    kb_secret_release(&secret);
    EXPECT_EQ(nullptr, secret.text);
    kb_secret_release(&secret);
    kb_free_secret_text(nullptr);
}

TEST_F(BaseFlow, ThreadsLeaveSignalsToMain)
{
    sigset_t seen;
    pthread_t thread;

    sigemptyset(&seen);
    ASSERT_EQ(KBP_OK, kb_thread_start(
                          &thread, "a-name-that-is-long",
                          [](void *data) -> void * {
                              pthread_sigmask(SIG_SETMASK, nullptr,
                                              static_cast<sigset_t *>(data));
                              return nullptr;
                          },
                          &seen, &err));
    pthread_join(thread, nullptr);
    EXPECT_EQ(1, sigismember(&seen, SIGTERM));
    EXPECT_EQ(1, sigismember(&seen, SIGINT));
    EXPECT_GE(kb_cpu_count(), 1u);
}

} // namespace
