import ArgumentParser

@main
struct Router: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "router")
}
