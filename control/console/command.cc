#include "control/console/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "control/console/invocation.h"

namespace outport::control {

Option Option::Required() const {
  option_->required();
  return *this;
}

Option Option::NotEmpty() const {
  option_->check([](const std::string& value) {
    return value.empty() ? std::string("must not be empty") : std::string();
  });
  return *this;
}

Option Option::ShowDefault() const {
  option_->capture_default_str();
  return *this;
}

Option Option::OneOf(std::vector<std::string> values) const {
  option_->check(CLI::IsMember(std::move(values)));
  return *this;
}

Option Option::Between(int64_t least, int64_t most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option Option::Excludes(Option other) const {
  option_->excludes(other.option_);
  return *this;
}

Option Option::Needs(Option other) const {
  option_->needs(other.option_);
  return *this;
}

bool Option::given() const { return !option_->empty(); }

Command Command::AddFamily(const std::string& name, const std::string& help) const {
  CLI::App* family = app_->add_subcommand(name, help);
  family->require_subcommand(1);
  return Command(*family, *invocation_);
}

Command Command::AddCommand(const std::string& name, const std::string& help) const {
  return Command(*app_->add_subcommand(name, help), *invocation_);
}

Option Command::AddOption(const std::string& name, std::string& value,
                          const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::AddOption(const std::string& name, std::vector<std::string>& values,
                          const std::string& help) const {
  CLI::Option* option = app_->add_option(name, values, help);
  if (name.starts_with('-')) option->allow_extra_args(false);
  return Option(option);
}

Option Command::AddOption(const std::string& name, uint32_t& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::AddOption(const std::string& name, uint64_t& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::AddOption(const std::string& name, int& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::AddFlag(const std::string& name, bool& value, const std::string& help) const {
  return Option(app_->add_flag(name, value, help));
}

void Command::RequireOneOf(std::vector<Option> options, const std::string& names) {
  check_ = [options = std::move(options), names] {
    if (std::ranges::none_of(options, &Option::given)) throw CLI::RequiredError(names);
  };
}

void Command::Run(std::function<Result<void>(const Invocation&)> run) const {
  app_->callback([invocation = invocation_, check = check_, run = std::move(run)] {
    if (check) check();
    invocation->chosen = [invocation, run] { return run(*invocation); };
  });
}

}  // namespace outport::control
