#include "registry/security/password/authenticator.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <map>
#include <optional>
#include <thread>

#include "registry/security/password/password.h"
#include "tests/support/test_latch.h"

namespace outport {
namespace {

using Answer = Result<std::shared_ptr<const User>>;

class SetClock final : public Clock {
 public:
  std::chrono::nanoseconds SinceBoot() const override {
    if (std::this_thread::get_id() != owner_ && broken_) throw std::bad_alloc();
    return now_.load();
  }
  std::chrono::system_clock::time_point Wall() const override { return {}; }
  void Advance(std::chrono::seconds by) { now_ = now_.load() + by; }
  // SinceBoot() throws on all threads but the test's.
  void BreakElsewhere(bool broken) { broken_ = broken; }

 private:
  const std::thread::id owner_ = std::this_thread::get_id();
  std::atomic<bool> broken_ = false;
  std::atomic<std::chrono::nanoseconds> now_{std::chrono::hours(1)};
};

std::string FastHash(const std::string& password) { return *HashPassword(password, 4); }

Holder Network(const std::string& address) {
  return {.kind = HolderKind::kNetwork, .name = address};
}

class AuthenticatorTest : public testing::Test {
 protected:
  AuthenticatorTest() { users_.Set({"ci", FastHash("right"), {}}); }

  // Starts all calls together, on one thread.
  std::vector<Answer> AskTogether(const std::vector<std::string>& passwords) {
    std::vector<std::optional<Answer>> answers(passwords.size());
    for (size_t i = 0; i < passwords.size(); ++i) {
      auto ask = [this, &answers, i, password = passwords[i]]() -> net::awaitable<void> {
        answers[i] = co_await authenticator_.Authenticate(Network("a"), "ci", password);
        if (++answered_ == release_after_) release_.CountDown();
      };
      net::co_spawn(context_, ask, [](const std::exception_ptr& e) { EXPECT_EQ(e, nullptr); });
    }
    context_.restart();
    context_.run();
    std::vector<Answer> result;
    for (auto& answer : answers) result.push_back(*std::move(answer));
    return result;
  }
  Answer Ask(const std::string& name, const std::string& password,
             const std::string& origin = "a") {
    auto answer = net::co_spawn(
        context_, authenticator_.Authenticate(Network(origin), name, password), net::use_future);
    context_.restart();
    context_.run();
    return answer.get();
  }
  bool IsRight(const std::string& password) { return Ask("ci", password).has_value(); }

  double Verifications() {
    return metrics_.Counter("outport_auth_verifications_total", "").Value();
  }
  double Hits() { return metrics_.Counter("outport_auth_cache_hits_total", "").Value(); }

  net::io_context context_;  // outlives the pool, whose thread may hold an executor of it
  AccessDirectory users_;
  SetClock clock_;
  Metrics metrics_;
  TestLatch release_;
  size_t answered_ = 0;
  size_t release_after_ = 0;
  BlockingPool pool_{"bcrypt", 1, 2};
  Authenticator authenticator_{users_,
                               pool_,
                               clock_,
                               metrics_,
                               {.cache_entries = 2,
                                .cache_lifetime = std::chrono::seconds(300),
                                .rejection_delay = std::chrono::milliseconds(1)}};
};

TEST_F(AuthenticatorTest, ReturnsTheUserOrUnauthorized) {
  const Answer right = Ask("ci", "right");
  ASSERT_TRUE(right.has_value());
  EXPECT_EQ((*right)->name, "ci");
  for (const auto& [name, password] : {std::pair("ci", "wrong"), std::pair("nobody", "right"),
                                       std::pair("ci", ""), std::pair("", "right")}) {
    const Answer answer = Ask(name, password);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::kUnauthorized);
    EXPECT_EQ(answer.error().message, "the user name or the password is wrong");
  }
}

// The processor time of this process. A loaded machine does not lengthen it.
double ProcessorSeconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// A cheap hash must not answer faster than an unknown user: the time would reveal which names
// exist. The test compares the least of four measurements.
TEST_F(AuthenticatorTest, AWrongPasswordCostsAsMuchForACheapHashAsForAnUnknownUser) {
  std::map<std::string, double> least;
  for (int i = 0; i < 4; ++i) {
    for (const char* name : {"ci", "nobody"}) {
      const double begin = ProcessorSeconds();
      EXPECT_FALSE(Ask(name, "wrong" + std::to_string(i), name).has_value());
      const double took = ProcessorSeconds() - begin;
      least[name] = i == 0 ? took : std::min(least[name], took);
    }
  }
  EXPECT_GT(least["ci"] / least["nobody"], 0.3) << "a hash of cost 4 alone is a 64th";
}

TEST_F(AuthenticatorTest, UnknownUsersCostAVerificationToo) {
  EXPECT_FALSE(Ask("nobody", "right").has_value());
  EXPECT_EQ(Verifications(), 1);
}

TEST_F(AuthenticatorTest, VerifiesARightCredentialOnce) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(IsRight("right"));
  EXPECT_EQ(Verifications(), 1);
  EXPECT_EQ(Hits(), 4);
}

TEST_F(AuthenticatorTest, NeverCachesAWrongCredential) {
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(IsRight("wrong"));
  EXPECT_EQ(Verifications(), 3);
}

TEST_F(AuthenticatorTest, ACachedCredentialDoesNotSuspend) {
  ASSERT_TRUE(IsRight("right"));
  pool_.Stop();  // a verification would be rejected now
  EXPECT_TRUE(IsRight("right"));
}

TEST_F(AuthenticatorTest, CachedCredentialsExpire) {
  EXPECT_TRUE(IsRight("right"));
  clock_.Advance(std::chrono::seconds(299));
  EXPECT_TRUE(IsRight("right"));
  EXPECT_EQ(Verifications(), 1);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(IsRight("right"));
  EXPECT_EQ(Verifications(), 2);
}

TEST_F(AuthenticatorTest, I6AChangedPasswordInvalidatesTheCacheAtOnce) {
  EXPECT_TRUE(IsRight("right"));
  users_.Set({"ci", FastHash("new"), {}});
  EXPECT_FALSE(IsRight("right"));
  EXPECT_TRUE(IsRight("new"));
}

TEST_F(AuthenticatorTest, I6ARemovedUserIsRejectedAtOnce) {
  EXPECT_TRUE(IsRight("right"));
  users_.Remove("ci");
  EXPECT_FALSE(IsRight("right"));
}

TEST_F(AuthenticatorTest, ChangedGrantsAreSeenAtOnce) {
  EXPECT_TRUE(IsRight("right"));
  users_.Set({"ci", users_.Find("ci")->password_hash, {*ParseGrant("pull")}});
  EXPECT_EQ((*Ask("ci", "right"))->grants.size(), 1u);
  EXPECT_EQ(Verifications(), 1);
}

TEST_F(AuthenticatorTest, EvictsTheLeastRecentlyUsedCredential) {
  users_.Set({"b", FastHash("b"), {}});
  users_.Set({"c", FastHash("c"), {}});
  EXPECT_TRUE(Ask("ci", "right").has_value());
  EXPECT_TRUE(Ask("b", "b").has_value());
  EXPECT_TRUE(Ask("ci", "right").has_value());
  EXPECT_TRUE(Ask("c", "c").has_value());  // the cache has two entries: b is evicted
  EXPECT_EQ(Verifications(), 3);
  EXPECT_TRUE(Ask("ci", "right").has_value());
  EXPECT_EQ(Verifications(), 3);
  EXPECT_TRUE(Ask("b", "b").has_value());
  EXPECT_EQ(Verifications(), 4);
}

TEST_F(AuthenticatorTest, ConcurrentCallsShareOneVerification) {
  TestLatch blocked;
  ASSERT_TRUE(pool_.Post([&] { blocked.Wait(); }));  // until the crowd has gathered
  std::vector<Answer> answers;
  std::thread crowd([&] { answers = AskTogether(std::vector<std::string>(50, "right")); });
  EXPECT_TRUE(WaitUntil([&] { return Verifications() >= 1; }));
  blocked.CountDown();
  crowd.join();
  for (const Answer& answer : answers) EXPECT_TRUE(answer.has_value());
  EXPECT_EQ(Verifications(), 1);
}

TEST_F(AuthenticatorTest, RejectsWhenTheQueueIsFull) {
  TestLatch started;
  ASSERT_TRUE(pool_.Post([&] {
    started.CountDown();
    release_.Wait();
  }));
  started.Wait();
  release_after_ = 2;  // two are rejected at once; the others wait
  const auto answers = AskTogether({"wrong1", "wrong2", "wrong3", "wrong4"});
  int rejected = 0;
  for (const Answer& answer : answers) {
    ASSERT_FALSE(answer.has_value());
    rejected += answer.error().code == ErrorCode::kTooManyRequests ? 1 : 0;
  }
  EXPECT_EQ(rejected, 2);
  EXPECT_TRUE(IsRight("right")) << "a rejection leaves no state";
}

TEST_F(AuthenticatorTest, AnExceptionInAVerificationIsReportedAtOnce) {
  clock_.BreakElsewhere(true);
  const Answer answer = Ask("ci", "right");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kInternal);
  clock_.BreakElsewhere(false);
  EXPECT_TRUE(IsRight("right")) << "the exception leaves no state";
}

TEST_F(AuthenticatorTest, I6GuessesFromOneAddressAreSlowedDown) {
  int wrong = 0;
  Answer answer = Ask("ci", "0");
  for (; answer.error().code == ErrorCode::kUnauthorized && wrong < 100; ++wrong) {
    answer = Ask(wrong % 2 == 0 ? "ci" : "nobody", std::to_string(wrong + 1));
  }
  EXPECT_EQ(wrong, 11) << "ten are free; the eleventh begins a pause";
  EXPECT_EQ(answer.error().code, ErrorCode::kTooManyRequests);
  EXPECT_EQ(answer.error().retry_after_seconds, 1);
  EXPECT_EQ(Verifications(), wrong) << "a rejected attempt is not verified";
  EXPECT_EQ(Ask("ci", "right").error().code, ErrorCode::kTooManyRequests) << "not verified either";
  EXPECT_TRUE(Ask("ci", "right", "elsewhere").has_value());
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(IsRight("right"));
}

TEST_F(AuthenticatorTest, AUserThatLoggedInIsNotLockedOutByOthers) {
  EXPECT_TRUE(IsRight("right"));
  for (int i = 0; i < 30; ++i) (void)Ask("nobody", std::to_string(i));
  for (int i = 0; i < 40; ++i) (void)Ask("ci", std::to_string(i), "elsewhere");
  clock_.Advance(std::chrono::seconds(301));  // the cached credentials expire
  for (int i = 0; i < 15; ++i) (void)Ask("nobody", "x" + std::to_string(i));
  EXPECT_EQ(Ask("nobody", "y").error().code, ErrorCode::kTooManyRequests);
  EXPECT_TRUE(IsRight("right"));
}

TEST_F(AuthenticatorTest, AFloodFromOneAddressDoesNotDelayOthers) {
  BlockingPool pool("bcrypt", 1, 1000);
  Authenticator authenticator(users_, pool, clock_, metrics_, {});
  TestLatch blocked;
  ASSERT_TRUE(pool.Post([&] { blocked.Wait(); }));
  std::vector<std::string> finished;
  const auto ask = [&](std::string origin, std::string password) -> net::awaitable<void> {
    const Answer answer = co_await authenticator.Authenticate(Network(origin), "ci", password);
    if (answer.has_value() || answer.error().code == ErrorCode::kUnauthorized) {
      finished.push_back(origin);
    }
  };
  const auto check = [](const std::exception_ptr& e) { EXPECT_EQ(e, nullptr); };
  for (int i = 0; i < 200; ++i) net::co_spawn(context_, ask("flood", std::to_string(i)), check);
  net::co_spawn(context_, ask("other", "right"), check);
  context_.restart();
  context_.poll();  // all calls have started
  blocked.CountDown();
  context_.restart();
  context_.run();
  pool.Stop();
  ASSERT_EQ(finished.size(), 33u) << "one address may queue 32";
  EXPECT_TRUE(std::find(finished.begin(), finished.begin() + 3, "other") != finished.begin() + 3)
      << "it has the second turn";
}

}  // namespace
}  // namespace outport
