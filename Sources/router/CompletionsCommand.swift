import ArgumentParser

struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Prints what makes a shell complete router's commands and options.",
        discussion: """
            Examples:
              router completions bash > /etc/bash_completion.d/router
              router completions zsh > "${fpath[1]}/_router"
              router completions fish > ~/.config/fish/completions/router.fish
            """)

    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish

        var completionShell: CompletionShell {
            switch self {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        }
    }

    @Argument(help: "The shell.")
    var shell: Shell

    func run() {
        Terminal.printLines([Router.completionScript(for: shell.completionShell)])
    }
}
