#include "engine/fair_share.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace jarip {
namespace {

double service(const FairShare& fair, std::uint32_t user) { return fair.users()[user].service; }

TEST(FairShare, ChargesOverTheUsersWeight) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  const std::uint32_t b = fair.join("b", 4);
  fair.charge(a, 100);
  fair.charge(b, 100);
  EXPECT_EQ(service(fair, a), 100);
  EXPECT_EQ(service(fair, b), 25);
}

TEST(FairShare, RequestsOfOneUserShareItsCounter) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  EXPECT_EQ(fair.join("a", 1), a);
  EXPECT_NE(fair.join("b", 1), a);
}

TEST(FairShare, ANewcomerIsLiftedToTheLeastOfThoseWhoAreThere) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  const std::uint32_t b = fair.join("b", 1);
  fair.charge(a, 500);
  fair.charge(b, 300);
  const std::uint32_t c = fair.join("c", 1);
  EXPECT_EQ(service(fair, c), 300);
}

TEST(FairShare, WhoWasAwayHasSavedNothing) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  const std::uint32_t b = fair.join("b", 1);
  fair.charge(b, 10);
  fair.satisfy(b);
  fair.leave(b);
  fair.charge(a, 500);
  EXPECT_EQ(service(fair, fair.join("b", 1)), 500);
}

TEST(FairShare, WhoWantedNothingMeanwhileHasSavedNothing) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  const std::uint32_t b = fair.join("b", 1);
  fair.satisfy(b);  // and is still there, with a long answer
  fair.charge(a, 500);
  EXPECT_EQ(fair.join("b", 1), b);
  EXPECT_EQ(service(fair, b), 500);
}

TEST(FairShare, WithNobodyWantingTheLastToBeSatisfiedIsTheMeasure) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  const std::uint32_t b = fair.join("b", 1);
  fair.satisfy(b);
  fair.charge(a, 500);
  fair.satisfy(a);
  fair.charge(a, 100);
  EXPECT_EQ(service(fair, fair.join("b", 1)), 500);
  EXPECT_EQ(service(fair, fair.join("a", 1)), 600);
}

TEST(FairShare, AParkedRequestWantsAgainAndIsNotLifted) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  const std::uint32_t b = fair.join("b", 1);
  fair.charge(a, 500);
  fair.satisfy(b);
  fair.want_again(b);
  EXPECT_EQ(service(fair, b), 0);
  EXPECT_EQ(service(fair, fair.join("c", 1)), 0);
}

TEST(FairShare, WhoHadMoreStillHasAfterLeaving) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  const std::uint32_t b = fair.join("b", 1);
  fair.charge(a, 100);
  fair.charge(b, 900);
  fair.satisfy(b);
  fair.leave(b);
  fair.charge(a, 50);
  EXPECT_EQ(service(fair, fair.join("b", 1)), 900);
}

TEST(FairShare, WhoeverComesWhenNobodyIsThereStartsAnew) {
  FairShare fair;
  const std::uint32_t a = fair.join("a", 1);
  fair.charge(a, 900);
  fair.satisfy(a);
  fair.leave(a);
  EXPECT_EQ(fair.n_known(), 0U);
  EXPECT_EQ(service(fair, fair.join("a", 1)), 0);
}

TEST(FairShare, RemembersNoMoreThanItMay) {
  FairShare fair;
  const std::uint32_t staying = fair.join("staying", 1);
  for (int i = 0; i < 3000; ++i) {
    const std::uint32_t passing = fair.join(fmt::format("passing {}", i), 1);
    fair.charge(passing, 1 + i);
    fair.satisfy(passing);
    fair.leave(passing);
  }
  EXPECT_EQ(fair.n_known(), 1 + FairShare::kMaxRemembered);
  EXPECT_LE(fair.users().size(), 2 + FairShare::kMaxRemembered);
  // Those with the least were forgotten.
  EXPECT_EQ(service(fair, fair.join("passing 2999", 1)), 3000);
  EXPECT_EQ(service(fair, fair.join("passing 5", 1)), service(fair, staying));
}

}  // namespace
}  // namespace jarip
