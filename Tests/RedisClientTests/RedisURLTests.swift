import RedisClient
import Testing

@Suite struct RedisURLTests {
    @Test(
        arguments: [
            ("redis://localhost", "localhost", 6379, nil, nil, 0),
            ("redis://10.0.0.1:1/", "10.0.0.1", 1, nil, nil, 0),
            ("REDIS://h:65535/15", "h", 65535, nil, nil, 15),
            ("redis://:p%40ss%2Fw%3A@h/2", "h", 6379, nil, "p@ss/w:", 2),
            ("redis://user:p@h:7000", "h", 7000, "user", "p", 0),
            ("redis://[::1]:6380/3", "::1", 6380, nil, nil, 3),
        ] as [(String, String, Int, String?, String?, Int)])
    func parses(text: String, host: String, port: Int, user: String?, password: String?, database: Int) throws {
        let url = try RedisURL(parsing: text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.user == user)
        #expect(url.password == password)
        #expect(url.database == database)
    }

    @Test(arguments: [
        "", "localhost:6379", "http://h", "redis://", "redis:///1", "redis://h:0", "redis://h:65536", "redis://h/x",
        "redis://h/1/2", "redis://h/-1", "redis://h/99999999999999999999", "redis://h?db=1", "redis://h#1",
        "redis://user@h", "rediss://h", "redis://:hush hush@h:x",
    ])
    func refuses(text: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(parsing: text) }
        #expect(error?.code == .invalidURL)
        #expect(error?.description.contains("hush") == false)
        if text.hasPrefix("rediss") { #expect(error?.description.contains("TLS") == true) }
    }
}
